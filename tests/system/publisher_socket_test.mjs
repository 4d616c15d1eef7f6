// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The publisher WebSocket: each message is a body as for /events or /batch_events, silent on success, errors and acks by number.

import assert from 'node:assert/strict';
import { signedQuery } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { FrameClient, op } from './support/frame_client.mjs';
import { onCores } from './support/server.mjs';

async function publisher(server, params = {}) {
  const path = `/apps/${server.app.id}/publish`;
  const client = await FrameClient.open(server, `${path}?${signedQuery(server.app, { method: 'GET', path, params })}`);
  client.say = (body) => client.send(op.text, typeof body === 'string' ? body : JSON.stringify(body));
  client.heard = async () => JSON.parse((await client.frame()).payload.toString());
  return client;
}

onCores('the publisher WebSocket', {}, (group) => {
  group('events and batches arrive in order, and nothing is said of success', async (server) => {
    const reader = await FeedReader.open(server, 'ticks');
    const socket = await publisher(server);
    for (let i = 0; i < 200; i += 2) {
      if (i % 4 === 0) {
        socket.say({ batch: [i, i + 1].map((n) => ({ name: 'e', channel: 'ticks', data: String(n) })) });
      } else {
        for (const n of [i, i + 1]) socket.say({ name: 'e', channels: ['ticks', 'others'], data: String(n) });
      }
    }
    for (let i = 0; i < 200; i++) assert.equal(await reader.text(), String(i));
    socket.say('no JSON');
    assert.equal((await socket.heard()).at, 151, 'the first that is said is this error');
  });

  group('an error names the message by its number, and those around it are published', async (server) => {
    const reader = await FeedReader.open(server, 'ticks');
    const socket = await publisher(server);
    const event = (data, more = {}) => ({ name: 'e', channel: 'ticks', data, ...more });
    socket.say(event('one'));
    socket.say('{"name":');
    socket.say(event('x', { channel: 'no such!' }));
    socket.say(event('x'.repeat(10_241)));
    socket.say(event('five'));
    for (const at of [2, 3, 4]) {
      const { error, at: number } = await socket.heard();
      assert.equal(number, at);
      assert.ok(error.length > 0);
    }
    assert.equal(await reader.text(), 'one');
    assert.equal(await reader.text(), 'five');
  });

  group('an ack comes after every so many messages, those with errors included', async (server) => {
    const socket = await publisher(server, { ack: '3' });
    for (let i = 1; i <= 7; i++) socket.say(i === 2 ? '[]' : { name: 'e', channel: 'c', data: 'd' });
    assert.equal((await socket.heard()).at, 2);
    assert.deepEqual(await socket.heard(), { ack: 3 });
    assert.deepEqual(await socket.heard(), { ack: 6 });
  });

  group('a body that asks for info is published like any other; there is no answer to put it in', async (server) => {
    const reader = await FeedReader.open(server, 'ticks');
    const socket = await publisher(server, { ack: '1' });
    socket.say({ name: 'e', channel: 'ticks', data: 'd', info: 'subscription_count' });
    assert.deepEqual(await socket.heard(), { ack: 1 });
    assert.equal(await reader.text(), 'd');
  });

  group('the same idempotency key publishes once, and a socket_id is left out', async (server) => {
    const [all, left] = [await PlainPusher.open(server), await PlainPusher.open(server)];
    for (const client of [all, left]) await client.subscribe('ticks');
    const socket = await publisher(server);
    const once = { name: 'once', channel: 'ticks', data: 'd', idempotency_key: 'k', socket_id: left.socketId };
    for (const event of [once, once, { name: 'end', channel: 'ticks', data: 'd' }]) socket.say(event);
    const seen = async (client) => (await client.event('end'), client.inbox.items.filter((e) => e.event === 'once').length);
    assert.equal(await seen(all), 1);
    assert.equal(await seen(left), 0);
  });
});

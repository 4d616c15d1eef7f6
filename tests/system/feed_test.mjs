// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Feed: a channel's data as plain WebSocket frames, for clients that have no library.

import assert from 'node:assert/strict';
import { Api, feedAuth } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { within } from './support/deadline.mjs';
import { frame, FrameClient, op, upgradeHead } from './support/frame_client.mjs';
import { RawSocket } from './support/raw_socket.mjs';
import { onCores } from './support/server.mjs';

/** How an attempt to open was refused: an HTTP status, or the close code when the upgrade came first. */
const refusal = async (opening) => {
  const outcome = await opening.then((reader) => reader, (error) => error);
  if (!(outcome instanceof FeedReader)) return outcome.status ?? outcome;
  return (await within(2000, 'refusal: it is open', outcome.closed)).code;
};

onCores('Feed', {}, (group) => {
  group('S9 delivers data as one raw text frame each, in order', async (server) => {
    const reader = await FeedReader.open(server, 'ticks');
    const api = new Api(server);
    const texts = ['', '1', '{"price": 1.5}', 'ünï \u{1F30A}', 'x'.repeat(125), 'x'.repeat(126), 'x'.repeat(10_240)];
    for (const text of texts) await api.publish('ticks', 'e', text);
    for (const text of texts) {
      assert.deepEqual(await reader.inbox.take('frame'), { data: text, isBinary: false });
    }
  });

  group('the upgrade is answered only once subscribed: what is published after it arrives', async (server) => {
    const api = new Api(server, { connections: 1 });
    for (let i = 0; i < 100; i++) {
      const reader = await FeedReader.open(server, `fresh-${i}`);
      await api.publish(`fresh-${i}`, 'e', `first ${i}`);
      assert.equal(await reader.text(), `first ${i}`);
      reader.close();
    }
  });

  group('what was published before the upgrade does not arrive', async (server) => {
    const api = new Api(server);
    await api.publish('ticks', 'e', 'before');
    const reader = await FeedReader.open(server, 'ticks');
    await api.publish('ticks', 'e', 'after');
    assert.equal(await reader.text(), 'after');
  });

  group('Feed and Pusher subscribers of one channel get the same events', async (server) => {
    const reader = await FeedReader.open(server, 'both');
    const pusher = await PlainPusher.open(server);
    await pusher.subscribe('both');
    await new Api(server).publish('both', 'e', 'data');
    assert.equal(await reader.text(), 'data');
    assert.deepEqual(await pusher.event('e'), { event: 'e', channel: 'both', data: 'data' });
  });

  group('a client event on a private channel reaches Feed', async (server) => {
    const reader = await FeedReader.open(server, 'private-x', { auth: feedAuth(server.app, 'private-x') });
    const pusher = await PlainPusher.open(server);
    await pusher.subscribe('private-x');
    pusher.send('client-e', { a: 1 }, 'private-x');
    assert.deepEqual(JSON.parse(await reader.text()), { a: 1 });
  });

  group('a private channel wants its own signature', async (server) => {
    const right = feedAuth(server.app, 'private-ticks');
    const reader = await FeedReader.open(server, 'private-ticks', { auth: right });
    await new Api(server).publish('private-ticks', 'e', 'secret');
    assert.equal(await reader.text(), 'secret');
    const wrong = {
      'absent': undefined, 'of another channel': feedAuth(server.app, 'private-other'),
      'upper case': `${right.slice(0, right.indexOf(':'))}:${right.slice(right.indexOf(':') + 1).toUpperCase()}`,
      'cut': right.slice(0, -1), 'foreign key': `x${right}`, 'no key': right.slice(right.indexOf(':') + 1),
    };
    for (const [what, auth] of Object.entries(wrong)) {
      const status = await refusal(FeedReader.open(server, 'private-ticks', { auth }));
      assert.ok([401, 403].includes(status), `auth ${what}: ${status}`);
    }
  });

  for (const channel of ['presence-room', 'private-encrypted-x', 'presence-cache-x', 'private-encrypted-cache-x']) {
    group(`${channel} cannot be fed: 403`, async (server) => {
      assert.equal(await refusal(FeedReader.open(server, channel, { auth: feedAuth(server.app, channel) })), 403);
    });
  }

  group('an unknown key, a missing key and a bad name are refused before anything is subscribed', async (server) => {
    const unknown = await refusal(FeedReader.open(server, 'ticks', { key: 'nobody' }));
    assert.ok([4001, 401, 403, 404].includes(unknown), `unknown key: ${unknown}`);
    const missing = await refusal(FeedReader.open(server, 'ticks', { query: '' }));
    assert.ok([4001, 400, 401, 403, 404].includes(missing), `missing key: ${missing}`);
    for (const name of ['with space', 'x'.repeat(201), 'colon:', '#server-to-user-1']) {
      const status = await refusal(FeedReader.open(server, name));
      assert.ok([400, 403, 404].includes(status), `${name.slice(0, 20)}: ${status}`);
    }
    assert.equal(await server.clients(), 0);
  });

  group('what a reader says is ignored, its pings are answered, its close is echoed', async (server) => {
    const reader = await FrameClient.open(server, `/feed/ticks?key=${server.app.key}`);
    reader.send(op.text, '{"event":"pusher:subscribe","data":{"channel":"other"}}');
    reader.send(op.ping, 'p');
    const pong = await reader.frame();
    assert.deepEqual([pong.opcode, pong.payload.toString()], [op.pong, 'p']);
    await new Api(server).publish('ticks', 'e', 'still');
    assert.equal((await reader.frame()).payload.toString(), 'still');
    reader.send(op.close, Buffer.from([0x03, 0xe8]));
    assert.equal((await reader.closing()).code, 1000);
  });

  group('a percent-encoded channel name is decoded', async (server) => {
    const reader = await FrameClient.open(server, `/feed/a%2Cb%40c?key=${server.app.key}`);
    await new Api(server).publish('a,b@c', 'e', 'x');
    assert.equal((await reader.frame()).payload.toString(), 'x');
  });

  group('a plain GET of a feed is not an upgrade', async (server) => {
    const raw = await RawSocket.connect(server);
    raw.write(`GET /feed/ticks?key=${server.app.key} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const answer = await raw.response();
    assert.ok(answer.status >= 400 && answer.status < 500, String(answer.status));
  });

  group('frames that came together with the upgrade request are read', async (server) => {
    const raw = await RawSocket.connect(server);
    const request = Buffer.from(upgradeHead(`/feed/ticks?key=${server.app.key}`));
    raw.write(Buffer.concat([request, frame(op.ping, 'early')]));
    assert.equal((await raw.response()).status, 101);
    const pong = await raw.take(7);
    assert.deepEqual([pong[0], pong[1], pong.subarray(2).toString()], [0x8a, 5, 'early']);
  });
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Subscribers are told how many they are. The five-second rule above a hundred is played in the simulation.

import assert from 'node:assert/strict';
import { FeedReader, happens, PlainPusher, pusherJs } from './support/clients.mjs';
import { onCores } from './support/server.mjs';

const counted = (client, channel, n) =>
  client.counts.take(`${n} on ${channel}`, (m) => m.channel === channel && JSON.parse(m.data).subscription_count === n);

onCores('subscription_count', {}, (group) => {
  group('counts that lie: each coming and going is told to who is there, feeds included in the number', async (server) => {
    const one = await PlainPusher.open(server);
    await one.subscribe('news');
    assert.deepEqual(await one.counts.take('a count'), {
      event: 'pusher_internal:subscription_count', channel: 'news', data: '{"subscription_count":1}',
    });
    const two = await PlainPusher.open(server);
    await two.subscribe('news');
    await Promise.all([one, two].map((client) => counted(client, 'news', 2)));
    const feed = await FeedReader.open(server, 'news');
    await Promise.all([one, two].map((client) => counted(client, 'news', 3)));
    two.ws._socket.resetAndDestroy();
    await counted(one, 'news', 2);
    one.send('pusher:unsubscribe', { channel: 'news' });
    await one.roundTrip();
    assert.deepEqual(one.counts.items, []);
    assert.deepEqual(feed.inbox.items, []);
  });

  group('pusher-js says pusher:subscription_count', async (server) => {
    const pusher = await pusherJs(server);
    const channel = pusher.subscribe('private-counted');
    assert.deepEqual(await happens(channel, 'pusher:subscription_count'), { subscription_count: 1 });
    assert.equal(channel.subscriptionCount, 1);
  });

  group('presence channels have members instead', async (server) => {
    const client = await PlainPusher.open(server);
    await client.subscribe('presence-x', '{"user_id":"1"}');
    await client.subscribe('news');
    await counted(client, 'news', 1);
    assert.deepEqual(client.counts.items, []);
  });

  group('a hundred who come and go at once: the last number is right', async (server) => {
    const watcher = await PlainPusher.open(server);
    await watcher.subscribe('busy');
    const clients = await Promise.all(Array.from({ length: 60 }, () => PlainPusher.open(server)));
    await Promise.all(clients.map((client) => client.subscribe('busy')));
    await counted(watcher, 'busy', 61);
    for (const client of clients.slice(10)) client.close();
    await counted(watcher, 'busy', 11);
    await watcher.roundTrip();
    const after = watcher.counts.items.slice(-1).map((m) => JSON.parse(m.data).subscription_count);
    assert.ok(after.length === 0 || after[0] >= 11);
  });
});

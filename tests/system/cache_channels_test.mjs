// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Cache channels: a new subscriber gets the last event at once, or is told that there is none.

import assert from 'node:assert/strict';
import { Api, feedAuth } from './support/api.mjs';
import { FeedReader, happens, PlainPusher, pusherJs } from './support/clients.mjs';
import { until } from './support/deadline.mjs';
import { onCores } from './support/server.mjs';

const channelData = '{"user_id":"1"}';
const kinds = ['cache-a', 'private-cache-a', 'private-encrypted-cache-a', 'presence-cache-a'];

onCores('cache channels', {}, (group) => {
  for (const channel of kinds) {
    group(`${channel}: a miss, then the last event behind the confirmation, published while nobody was there`, async (server) => {
      const api = new Api(server);
      const fresh = `${channel}-${Math.random().toString(36).slice(2)}`;
      const data = channel.startsWith('presence-') ? channelData : undefined;
      const early = await PlainPusher.open(server);
      await early.subscribe(fresh, data);
      assert.deepEqual(await early.inbox.take('the next message'), { event: 'pusher:cache_miss', channel: fresh, data: '{}' });
      early.close();
      await server.untilClients(0);
      await api.publish(fresh, 'older', 'one');
      await api.publish(fresh, 'newer', '{"two":"\\"2\\""}');
      const late = await PlainPusher.open(server);
      await late.subscribe(fresh, data);
      assert.deepEqual(await late.inbox.take('the next message'), { event: 'newer', channel: fresh, data: '{"two":"\\"2\\""}' });
      await late.roundTrip();
      assert.deepEqual(late.inbox.items, []);
    });
  }

  group('who joins while events are published gets each at most once, in order, without a gap', async (server) => {
    const api = new Api(server, { connections: 1 });
    await api.publish('cache-race', 'n', '0');
    let last = 0;
    let stop = false;
    const publishing = (async () => {
      while (!stop) await api.publish('cache-race', 'n', String(++last));
    })();
    const joiners = [];
    for (let i = 0; i < 40; i++) {
      const client = await PlainPusher.open(server);
      await client.subscribe('cache-race');
      joiners.push(client);
    }
    stop = true;
    await publishing;
    for (const client of joiners) {
      await until('the last event came', () => client.inbox.items.some((m) => m.data === String(last)));
      const numbers = client.inbox.items.filter((m) => m.event === 'n').map((m) => Number(m.data));
      assert.deepEqual(numbers, Array.from({ length: numbers.length }, (_, i) => last - numbers.length + 1 + i));
    }
  });

  group('clients\' events are not cached', async (server) => {
    const [one, two] = await Promise.all([PlainPusher.open(server), PlainPusher.open(server)]);
    await one.subscribe('private-cache-chat');
    await two.subscribe('private-cache-chat');
    one.send('client-say', 'hello', 'private-cache-chat');
    await two.event('client-say');
    const three = await PlainPusher.open(server);
    await three.subscribe('private-cache-chat');
    await three.event('pusher:cache_miss', 'private-cache-chat');
  });

  group('pusher-js hears pusher:cache_miss, and the event', async (server) => {
    const pusher = await pusherJs(server);
    const miss = happens(pusher.subscribe('cache-js-none'), 'pusher:cache_miss');
    await new Api(server).publish('cache-js', 'e', '"text"');
    assert.equal(await happens(pusher.subscribe('cache-js'), 'e'), 'text');
    await miss;
  });

  group('a feed gets the cached event first, and nothing for a miss', async (server) => {
    const api = new Api(server);
    await api.publish('private-cache-feed', 'e', 'cached');
    const reader = await FeedReader.open(server, 'private-cache-feed', { auth: feedAuth(server.app, 'private-cache-feed') });
    const empty = await FeedReader.open(server, 'cache-feed-none');
    await api.publish('private-cache-feed', 'e', 'live');
    await api.publish('cache-feed-none', 'e', 'live');
    assert.equal(await reader.text(), 'cached');
    assert.equal(await reader.text(), 'live');
    assert.equal(await empty.text(), 'live');
  });
});

onCores('cache channels with a short cache_ttl', {
  app: { id: 'a', key: 'k', secret: 's' },
  toml: '[[app]]\nid = "a"\nkey = "k"\nsecret = "s"\ncache_ttl = "300ms"\n',
}, (group) => {
  group('forget the event, and its memory', async (server) => {
    await new Api(server).publish('cache-ttl', 'e', 'soon gone');
    await server.untilMetric('spillway_cached_events', {}, 0);
    await server.untilMetric('spillway_memory_bytes', { kind: 'cache' }, 0);
    const client = await PlainPusher.open(server);
    await client.subscribe('cache-ttl');
    await client.event('pusher:cache_miss', 'cache-ttl');
  });
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Presence channels: who is there, who comes, who goes, as pusher-js tells it and as it stands on the wire.

import assert from 'node:assert/strict';
import { Api } from './support/api.mjs';
import { happens, PlainPusher, pusherJs } from './support/clients.mjs';
import { until } from './support/deadline.mjs';
import { onCores } from './support/server.mjs';

const user = (id, info) => JSON.stringify({ user_id: id, user_info: info });
const presence = (message) => JSON.parse(message.data).presence;
const sorted = (ids) => [...ids].sort();

/** A subscriber that keeps who is there by what it is told; being told of somebody twice is a failure. */
class Watcher {
  events = [];

  static async open(server, channel, id) {
    const watcher = new Watcher();
    watcher.client = await PlainPusher.open(server);
    watcher.client.ws.on('message', (text) => watcher.#note(JSON.parse(text)));
    await watcher.client.subscribe(channel, user(id, { id }));
    return watcher;
  }

  #note({ event, data }) {
    if (event === 'pusher_internal:subscription_succeeded') {
      const { ids, count } = JSON.parse(data).presence;
      assert.equal(ids.length, count);
      this.members = new Set(ids);
    }
    const id = data && event?.startsWith('pusher_internal:member') ? JSON.parse(data).user_id : undefined;
    if (id === undefined) return;
    this.events.push(`${event.slice(event.lastIndexOf('_') + 1)} ${id}`);
    const ok = event.endsWith('added') ? !this.members.has(id) && this.members.add(id) : this.members.delete(id);
    if (!ok) this.events.push(`TWICE ${id}`);
  }

  async sees(ids, ms) {
    const wanted = JSON.stringify(sorted(ids));
    await until(() => `members are ${wanted} (last: ${JSON.stringify(sorted(this.members))})`,
      () => JSON.stringify(sorted(this.members)) === wanted, ms);
    assert.deepEqual(this.events.filter((e) => e.startsWith('TWICE')), []);
  }
}

onCores('presence', {}, (group) => {
  group('C7 pusher-js sees who is there, who comes and who goes', async (server) => {
    const one = await pusherJs(server, { user: { user_id: '1', user_info: { name: 'Ann' } } });
    const room = one.subscribe('presence-room');
    await happens(room, 'pusher:subscription_succeeded');
    assert.equal(room.members.count, 1);
    assert.deepEqual(room.members.me, { id: '1', info: { name: 'Ann' } });
    const added = happens(room, 'pusher:member_added');
    const two = await pusherJs(server, { user: { user_id: 2, user_info: { name: 'Bob' } } });
    const same = two.subscribe('presence-room');
    await happens(same, 'pusher:subscription_succeeded');
    assert.deepEqual(await added, { id: '2', info: { name: 'Bob' } });
    assert.equal(same.members.count, 2);
    assert.deepEqual(same.members.get('1'), { id: '1', info: { name: 'Ann' } });
    const removed = happens(room, 'pusher:member_removed');
    two.disconnect();
    assert.deepEqual(await removed, { id: '2', info: { name: 'Bob' } });
    assert.equal(room.members.count, 1);
  });

  group('ids are strings, info comes as it was given, and nobody without info is left out', async (server) => {
    const [one, two, three] = await Promise.all([0, 1, 2].map(() => PlainPusher.open(server)));
    const first = presence(await one.subscribe('presence-x', '{"user_id":10,"user_info":{"n": 1.50}}'));
    assert.deepEqual(first, { ids: ['10'], hash: { 10: { n: 1.5 } }, count: 1 });
    const second = presence(await two.subscribe('presence-x', '{"user_id":"a\\"b"}'));
    assert.deepEqual(second, { ids: ['10', 'a"b'], hash: { 10: { n: 1.5 }, 'a"b': null }, count: 2 });
    const added = await one.event('pusher_internal:member_added', 'presence-x');
    assert.deepEqual(JSON.parse(added.data), { user_id: 'a"b', user_info: null });
    // Present already: what another connection says of the user changes nothing.
    const third = presence(await three.subscribe('presence-x', '{"user_id":"10","user_info":"changed"}'));
    assert.deepEqual(third, second);
    await one.roundTrip();
    assert.deepEqual(one.inbox.items, []);
  });

  group('C7 one user with several connections comes once and goes once, by close, unsubscribe or reset', async (server) => {
    const watcher = await Watcher.open(server, 'presence-x', 'watcher');
    const clients = await Promise.all([0, 1, 2].map(() => PlainPusher.open(server)));
    for (const client of clients) await client.subscribe('presence-x', user('many', {}));
    await watcher.sees(['watcher', 'many']);
    clients[0].ws.close();
    clients[1].send('pusher:unsubscribe', { channel: 'presence-x' });
    await clients[1].roundTrip();
    await clients[0].closeWithin();
    await watcher.client.roundTrip();
    assert.deepEqual(watcher.events, ['added many']);
    clients[2].ws._socket.resetAndDestroy();
    await watcher.sees(['watcher']);
    assert.deepEqual(watcher.events, ['added many', 'removed many']);
  });

  group('ghosts in presence: thirty sockets that are destroyed are gone, each once', async (server) => {
    const watcher = await Watcher.open(server, 'presence-crash', 'watcher');
    const clients = await Promise.all(Array.from({ length: 30 }, () => PlainPusher.open(server)));
    await Promise.all(clients.map((client, i) => client.subscribe('presence-crash', user(`u${i}`, { i }))));
    await watcher.sees(['watcher', ...clients.map((_, i) => `u${i}`)]);
    for (const client of clients) client.ws._socket.resetAndDestroy();
    await watcher.sees(['watcher']);
    assert.equal(watcher.events.length, 60);
    await server.untilMetric('spillway_presence_members', {}, 1);
  });

  group('C7 storms of joining and leaving: every watcher ends with who is there, told of nobody twice', async (server) => {
    const watchers = await Promise.all(['w0', 'w1', 'w2'].map((id) => Watcher.open(server, 'presence-storm', id)));
    const api = new Api(server);
    const stormers = await Promise.all(Array.from({ length: 12 }, () => PlainPusher.open(server)));
    const publishing = (async () => {
      for (let i = 0; i < 40; i++) await api.publish('presence-storm', 'e', `${i}`);
    })();
    await Promise.all(stormers.map(async (client, i) => {
      const data = user(`u${i % 5}`, {});
      for (let round = 0; round < 15; round++) {
        const { ids } = presence(await client.subscribe('presence-storm', data));
        assert.ok(ids.includes(`u${i % 5}`));
        if (round % 3 === 0) client.askToSubscribe('presence-storm', data);  // is there already
        client.send('pusher:unsubscribe', { channel: 'presence-storm' });
      }
      if (i % 2 === 0) await client.subscribe('presence-storm', data);
      else client.ws._socket.resetAndDestroy();
    }));
    await publishing;
    const stay = stormers.map((_, i) => i).filter((i) => i % 2 === 0).map((i) => `u${i % 5}`);
    for (const watcher of watchers) await watcher.sees(['w0', 'w1', 'w2', ...new Set(stay)]);
    for (const watcher of watchers) {
      const own = watcher.events.filter((e) => e.endsWith(' w0') || e.endsWith(' w1') || e.endsWith(' w2'));
      assert.ok(own.length <= 4, 'of oneself one is not told');
    }
  });

  group('unsubscribing before the answer, and coming back at once', async (server) => {
    const watcher = await Watcher.open(server, 'presence-hasty', 'watcher');
    const client = await PlainPusher.open(server);
    for (let i = 0; i < 20; i++) {
      client.askToSubscribe('presence-hasty', user('hasty', { i }));
      client.send('pusher:unsubscribe', { channel: 'presence-hasty' });
    }
    await client.subscribe('presence-hasty', user('hasty', 'last'));
    await watcher.sees(['watcher', 'hasty']);
    client.send('pusher:unsubscribe', { channel: 'presence-hasty' });
    await watcher.sees(['watcher']);
  });

  group('a client event says whose it is, whatever its sender claims', async (server) => {
    const [one, two] = await Promise.all([PlainPusher.open(server), PlainPusher.open(server)]);
    await one.subscribe('presence-chat', user(7, {}));
    await two.subscribe('presence-chat', user('8', {}));
    one.sendText(JSON.stringify({ event: 'client-say', channel: 'presence-chat', data: { a: 1 }, user_id: 'forged' }));
    assert.deepEqual(await two.event('client-say'), {
      event: 'client-say', channel: 'presence-chat', data: { a: 1 }, user_id: '7',
    });
  });

  group('who does not say who he is, or says it wrong, is told and stays connected', async (server) => {
    const client = await PlainPusher.open(server);
    const bad = {
      nothing: [undefined, 401], 'no JSON': ['nobody', 400], 'no user_id': ['{}', 400], 'an empty id': [user(''), 400],
      'a boolean': ['{"user_id":true}', 400], 'a long id': [user('x'.repeat(129)), 400],
      'a large info': [user('1', 'x'.repeat(1024)), 4301],
    };
    for (const [what, [channelData, status]] of Object.entries(bad)) {
      client.askToSubscribe('presence-bad', channelData);
      const error = await client.event('pusher:subscription_error', 'presence-bad');
      assert.equal(error.data.status, status, what);
      await client.error(status === 401 ? 4009 : null);
    }
    client.send('pusher:subscribe', { channel: 'presence-bad', auth: 'app-key:00', channel_data: user('1') });
    assert.equal((await client.event('pusher:subscription_error')).data.status, 401);
    await client.error(4009);
    await client.subscribe('presence-bad', user('x'.repeat(128), 'y'));
  });

  group('a hundred members of a KiB each: one frame of a hundred KiB, and the next user is refused', async (server) => {
    const info = 'i'.repeat(1000);
    const clients = await Promise.all(Array.from({ length: 100 }, () => PlainPusher.open(server)));
    await Promise.all(clients.map((client, i) => client.subscribe('presence-full', user(`u${i}`, info))));
    const late = await PlainPusher.open(server);
    late.askToSubscribe('presence-full', user('one too many', info));
    const { data } = await late.event('pusher:subscription_error', 'presence-full');
    assert.deepEqual([data.type, data.status], ['LimitReached', 4100]);
    // A further connection of a member is none too many.
    const roster = presence(await late.subscribe('presence-full', user('u5', info)));
    assert.equal(roster.count, 100);
    assert.equal(Object.keys(roster.hash).length, 100);
    clients[0].close();
    const next = await PlainPusher.open(server);
    await until('there is room for one', async () => {
      next.askToSubscribe('presence-full', user('next', info));
      const answer = await next.inbox.take('an answer', (m) => m.event !== 'pusher:error');
      return answer.event === 'pusher_internal:subscription_succeeded';
    });
  });
});

onCores('presence limits of an app', {
  app: { id: 'a', key: 'k', secret: 's' },
  toml: '[[app]]\nid = "a"\nkey = "k"\nsecret = "s"\nmax_presence_members = 2\nmax_presence_member_bytes = 20\n',
}, (group) => {
  group('hold, to the member and to the byte', async (server) => {
    const clients = await Promise.all([0, 1, 2].map(() => PlainPusher.open(server)));
    await clients[0].subscribe('presence-x', user('12345', 'x'.repeat(13)));  // 5 and 15
    clients[1].askToSubscribe('presence-x', user('12345', 'x'.repeat(14)));
    assert.equal((await clients[1].event('pusher:subscription_error')).data.status, 4301);
    await clients[1].subscribe('presence-x', user('2'));
    clients[2].askToSubscribe('presence-x', user('3'));
    assert.equal((await clients[2].event('pusher:subscription_error')).data.status, 4100);
    // This app is not told how many subscribe.
    await clients[0].subscribe('news');
    await clients[0].roundTrip();
    assert.deepEqual(clients[0].counts.items, []);
  });
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The main promise: every message exactly once and in order at each subscriber of its channel, however channels,
// subscribers, cores and publishers are spread, and while subscribers come and go.

import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { Api } from './support/api.mjs';
import { FeedReader, officialPublisher, PlainPusher } from './support/clients.mjs';
import { until, within } from './support/deadline.mjs';
import { onCores } from './support/server.mjs';

/** A Pusher client on one or more channels that keeps only the sequence numbers it saw, per channel. */
class Follower {
  seen = new Map();
  total = 0;

  static open(server, channels) {
    const follower = new Follower();
    follower.ws = new WebSocket(server.wsUrl(`/app/${server.app.key}?protocol=7`), { perMessageDeflate: false });
    server.own(follower);
    let missing = channels.length;
    return within(20_000, 'subscriptions', new Promise((resolve, reject) => {
      follower.ws.on('error', reject);
      follower.ws.on('close', (code) => reject(new Error(`closed with ${code}`)));
      follower.ws.on('message', (text) => {
        const message = JSON.parse(text);
        if (message.event === 'n') follower.note(message.channel, Number(message.data));
        else if (message.event === 'pusher:connection_established') {
          for (const channel of channels) {
            follower.ws.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel } }));
          }
        } else if (message.event === 'pusher_internal:subscription_succeeded') {
          follower.seen.set(message.channel, []);
          if (--missing === 0) resolve(follower);
        } else if (message.event !== 'pusher_internal:subscription_count') reject(new Error(`unexpected: ${text}`));
      });
    }));
  }

  note(channel, n) {
    this.seen.get(channel).push(n);
    this.total++;
  }
  close() {
    this.ws.terminate();
  }
}

const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

/** Publishes 0..count-1 on every channel, ten events a batch, never far ahead of the slowest follower. */
async function publishRounds(server, api, channels, count, followers) {
  const perRound = Math.max(1, Math.floor(10 / channels.length));
  const goal = (follower, rounds) => follower.seen.size * rounds;
  for (let n = 0; n < count; n += perRound) {
    const numbers = range(n, Math.min(n + perRound, count));
    await api.publishAll(numbers.flatMap((i) => channels.map((channel) => ({ name: 'n', channel, data: String(i) }))));
    const lag = 50;
    await until(() => `no follower is more than ${lag} behind ${n}`, () =>
      followers.every((f) => f.total >= goal(f, n - lag)), 20_000);
  }
  await until(() => `all arrived, missing ${followers.reduce((sum, f) => sum + goal(f, count) - f.total, 0)}`,
    () => followers.every((f) => f.total >= goal(f, count)), 20_000);
}

onCores('order', {}, (group) => {
  const names = range(0, 20).map((i) => `channel-${i}`);

  group('R12 C4 20 channels x 50 subscribers x 200 messages: exactly once, in order', async (server) => {
    const opened = range(0, 1000).map((i) => () => Follower.open(server, [names[i % 20]]));
    const followers = [];
    for (let i = 0; i < opened.length; i += 100) {
      followers.push(...(await Promise.all(opened.slice(i, i + 100).map((open) => open()))));
    }
    await publishRounds(server, new Api(server), names, 200, followers);
    const expected = range(0, 200);
    for (const follower of followers) for (const numbers of follower.seen.values()) assert.deepEqual(numbers, expected);
    assert.equal(await server.metric('spillway_dropped_total'), 0);
  }, { ms: 60_000 });

  group('B5 twenty channels over one connection each keep their order', async (server) => {
    const followers = await Promise.all(range(0, 30).map(() => Follower.open(server, names)));
    await publishRounds(server, new Api(server), names, 100, followers);
    for (const follower of followers) {
      for (const numbers of follower.seen.values()) assert.deepEqual(numbers, range(0, 100));
    }
  }, { ms: 60_000 });

  group('the official library publishes in order when it waits for its answers', async (server) => {
    const follower = await Follower.open(server, ['one']);
    const publisher = officialPublisher(server);
    for (let i = 0; i < 50; i++) await publisher.trigger('one', 'n', i);
    await until('all arrived', () => follower.total === 50);
    assert.deepEqual(follower.seen.get('one'), range(0, 50));
  });

  group('C10 concurrent publishers: one order, the same for every subscriber', async (server) => {
    const followers = await Promise.all(range(0, 20).map(() => Follower.open(server, ['shared'])));
    const publishers = range(0, 8).map(() => new Api(server, { connections: 1 }));
    await Promise.all(publishers.map(async (api, p) => {
      for (let i = 0; i < 50; i++) await api.publish('shared', 'n', String(p * 1000 + i));
    }));
    await until('all arrived', () => followers.every((f) => f.total === 400));
    const first = followers[0].seen.get('shared');
    for (const follower of followers) assert.deepEqual(follower.seen.get('shared'), first);
    for (const p of range(0, 8)) {
      assert.deepEqual(first.filter((n) => Math.floor(n / 1000) === p), range(p * 1000, p * 1000 + 50));
    }
  });

  group('C4 who joins under way misses nothing after its join, who was there misses nothing at all', async (server) => {
    const constant = await Follower.open(server, ['stream']);
    const api = new Api(server, { connections: 1 });
    let published = 0;
    let going = true;
    const publishing = (async () => {
      for (; going; published += 5) {
        await api.publishAll(range(published, published + 5).map((n) => ({ name: 'n', channel: 'stream', data: String(n) })));
      }
    })();
    const joiners = [];
    for (let i = 0; i < 60; i++) {
      const before = published;
      const joiner = await Follower.open(server, ['stream']);
      joiners.push({ joiner, before, after: published });
    }
    await until('the last joiner heard something', () => joiners.at(-1).joiner.total > 0);
    going = false;
    await publishing;
    const all = [constant, ...joiners.map((j) => j.joiner)];
    const last = (f) => f.seen.get('stream').at(-1);
    await until('all heard the end', () => all.every((f) => last(f) === published - 1));
    assert.deepEqual(constant.seen.get('stream'), range(0, published));
    for (const { joiner, before, after } of joiners) {
      const numbers = joiner.seen.get('stream');
      assert.ok(numbers[0] >= before && numbers[0] <= after + 10, `first ${numbers[0]}, joined in ${before}..${after}`);
      assert.deepEqual(numbers, range(numbers[0], published));
    }
  });

  group('C10 R1 rapid joining and leaving during broadcasts disturbs nobody', async (server) => {
    const constant = await Promise.all(range(0, 10).map(() => Follower.open(server, ['busy', 'other'])));
    const api = new Api(server, { connections: 1 });
    let leavers = 0;
    let going = true;
    const churn = range(0, 10).map(async (c) => {
      while (going) {
        const follower = await Follower.open(server, ['busy']);
        if (c % 2) follower.ws._socket.resetAndDestroy();
        else follower.ws.close(1000);
        follower.ws.removeAllListeners('close');
        const numbers = follower.seen.get('busy');
        assert.deepEqual(numbers, range(numbers[0] ?? 0, (numbers[0] ?? 0) + numbers.length));
        leavers++;
      }
    });
    await publishRounds(server, api, ['busy', 'other'], 300, constant);
    going = false;
    await Promise.all(churn);
    assert.ok(leavers > 20, `${leavers} came and went`);
    for (const follower of constant) {
      for (const numbers of follower.seen.values()) assert.deepEqual(numbers, range(0, 300));
    }
  }, { ms: 40_000 });

  group('unsubscribing ends a channel at once and subscribing again starts it anew', async (server) => {
    const client = await PlainPusher.open(server);
    const api = new Api(server, { connections: 1 });
    await client.subscribe('c');
    for (let i = 0; i < 30; i++) {
      await api.publish('c', 'n', String(2 * i));
      assert.equal((await client.event('n')).data, String(2 * i));
      client.send('pusher:unsubscribe', { channel: 'c' });
      await client.roundTrip();
      await server.untilMetric('spillway_subscriptions', {}, 0);
      await api.publish('c', 'n', String(2 * i + 1));
      await client.subscribe('c');
    }
    assert.deepEqual(client.inbox.items.filter((m) => m.event === 'n'), []);
  });
});

const big = `
[server]
max_http_body = "4MiB"
[[app]]
id = "app-id"
key = "app-key"
secret = "app-secret"
max_event_bytes = "2MiB"
`;
onCores('large messages', { toml: big }, (group) => {
  group('R7 R16 a MiB to forty subscribers is one body, shared', async (server) => {
    const readers = await Promise.all(range(0, 40).map(() => FeedReader.open(server, 'big')));
    const api = new Api(server, { connections: 1 });
    const before = server.residentBytes();
    let peak = 0;
    for (let n = 0; n < 5; n++) {
      const data = `${n}`.padEnd(1024 * 1024, 'x');
      await api.publish('big', 'e', data);
      peak = Math.max(peak, server.residentBytes());
      for (const reader of readers) assert.ok((await reader.text(20_000)) === data, `message ${n}`);
    }
    assert.ok(peak - before < 32 * 1024 * 1024, `grew by ${peak - before}`);
  });
});

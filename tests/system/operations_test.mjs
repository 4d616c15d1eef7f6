// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What an operator relies on: health answers, figures that are exactly right, limits that hold exactly, nothing left
// behind by clients that went, and a drain that ends.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Api } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { deadline, until, within } from './support/deadline.mjs';
import { frame, FrameClient, op, upgradeHead } from './support/frame_client.mjs';
import { head, RawSocket } from './support/raw_socket.mjs';
import { onCores, Server } from './support/server.mjs';

const kinds = {
  spillway_clients: 'gauge', spillway_subscriptions: 'gauge', spillway_channels: 'gauge',
  spillway_messages_published_total: 'counter', spillway_deliveries_total: 'counter', spillway_dropped_total: 'counter',
  spillway_bytes_received_total: 'counter', spillway_bytes_sent_total: 'counter', spillway_client_closes_total: 'counter',
  spillway_refused_total: 'counter', spillway_queued_bytes: 'gauge', spillway_memory_bytes: 'gauge',
  spillway_broadcast_seconds: 'histogram', spillway_loop_lag_seconds: undefined, spillway_http_requests_total: 'counter',
};

onCores('the metrics port', {}, (group) => {
  group('S7 R14 /healthz and /readyz say 200', async (server) => {
    for (const target of ['/healthz', '/readyz']) assert.equal((await server.page(target)).status, 200, target);
  });

  group('answers HEAD without a body, and knows no other pages', async (server) => {
    const raw = await RawSocket.connect(server, { port: server.metricsPort });
    raw.write(head('HEAD /healthz HTTP/1.1', 'Host: x'));
    assert.equal((await raw.response({ method: 'HEAD' })).status, 200);
    raw.write(head('GET /nothing HTTP/1.1', 'Host: x'));
    assert.equal((await raw.response()).status, 404);
  });

  group('H7 S6 /metrics is well-formed and has the settled names', async (server) => {
    const page = await server.page('/metrics');
    assert.match(page.headers['content-type'], /^text\/plain; ?version=0\.0\.4/);
    const metrics = await server.metrics();
    for (const [name, type] of Object.entries(kinds)) {
      assert.ok(metrics.types.has(name), `no ${name}`);
      if (type) assert.equal(metrics.types.get(name), type, name);
    }
    for (const name of metrics.types.keys()) assert.match(name, /^spillway_|^process_/);
    for (const kind of ['pusher', 'feed']) assert.equal(metrics.all('spillway_clients', { kind }).length, 1, kind);
    for (const { labels } of metrics.all('spillway_dropped_total')) assert.deepEqual(Object.keys(labels).sort(), ['priority', 'reason']);
    const buckets = metrics.all('spillway_broadcast_seconds_bucket');
    assert.equal(buckets.at(-1)?.labels.le, '+Inf');
    assert.ok(buckets.every((b, i) => i === 0 || b.value >= buckets[i - 1].value), 'buckets are cumulative');
  });

  group('B9 /stats is JSON with the same figures', async (server) => {
    await PlainPusher.open(server);
    const page = await server.page('/stats');
    assert.match(page.headers['content-type'], /^application\/json/);
    const stats = JSON.parse(page.text);
    assert.ok('clients' in stats && 'dropped' in stats, Object.keys(stats).join());
  });

  group('C3 counts every message and delivery exactly', async (server) => {
    const clients = await Promise.all(Array.from({ length: 7 }, () => PlainPusher.open(server)));
    for (const client of clients) await client.subscribe('counted');
    const readers = await Promise.all(Array.from({ length: 3 }, () => FeedReader.open(server, 'counted')));
    const start = await server.metrics();
    assert.equal(start.sum('spillway_clients', { kind: 'pusher' }), 7);
    assert.equal(start.sum('spillway_clients', { kind: 'feed' }), 3);
    assert.equal(start.sum('spillway_subscriptions'), 10);
    assert.equal(start.sum('spillway_channels'), 1);
    const api = new Api(server);
    await api.publishAll(Array.from({ length: 100 }, (_, n) => ({ name: 'e', channel: 'counted', data: String(n) })));
    await api.publish('counted', 'e', 'excluded', { socket_id: clients[0].socketId });
    await Promise.all(clients.slice(1).map((c) => c.inbox.take('the last', (m) => m.data === 'excluded')));
    await Promise.all(readers.map((r) => r.inbox.take('the last', (m) => m.data === 'excluded')));
    const delta = async (name) => (await server.metrics()).sum(name) - start.sum(name);
    await until('the counters have it', async () => (await delta('spillway_deliveries_total')) === 1009);
    assert.equal(await delta('spillway_messages_published_total'), 101);
    assert.equal(await delta('spillway_dropped_total'), 0);
    assert.ok((await delta('spillway_broadcast_seconds_count')) > 0);
  });

  group('the size of /metrics does not depend on names clients choose', async (server) => {
    const client = await PlainPusher.open(server);
    await client.subscribe('first');
    const api = new Api(server);
    await api.publish('first', 'e', 'x');
    const before = (await server.page('/metrics')).text.length;
    for (let i = 0; i < 500; i++) client.send('pusher:subscribe', { channel: `name-${i}` });
    await client.roundTrip();
    await server.untilMetric('spillway_channels', {}, 501);
    await api.publishAll(Array.from({ length: 100 }, (_, n) => ({ name: `event-${n}`, channel: `name-${n}`, data: 'x' })));
    const after = (await server.page('/metrics')).text.length;
    assert.ok(Math.abs(after - before) < before * 0.05, `${before} -> ${after}`);
  });
});

const booksToml = `[[app]]
id = "app-id"
key = "app-key"
secret = "app-secret"
subscription_count = false # such events are deliveries, too, which no answer counts
`;
const smallQueues = ['--queue-messages', '20', '--queue-bytes', '1MiB', '--socket-send-buffer', '32KiB'];

onCores('the books', { toml: booksToml, flags: smallQueues }, (group) => {
  group('R6 conserves messages: due at sequencing = delivered + dropped + excluded, whatever became of the subscribers', async (server) => {
    const names = ['law-a', 'law-b', 'private-law'];
    const clients = await Promise.all(Array.from({ length: 9 }, () => PlainPusher.open(server)));
    for (const client of clients) for (const name of names) await client.subscribe(name);
    await FeedReader.open(server, 'law-a');
    const asleep = await FrameClient.open(server, `/feed/law-b?key=${server.app.key}`);
    asleep.raw.socket.pause();
    const start = await server.metrics();
    const api = new Api(server);
    const body = 'x'.repeat(9000);
    let due = 0;  // as the answers say: how many subscribed when each got its place
    const rounds = async (n) => {
      for (let i = 0; i < n; i++) {
        const more = i % 3 === 0 ? { socket_id: clients[i % 3].socketId } : {};
        const answer = await api.events({ name: 'e', channels: names, data: `${i} ${body}`, info: 'subscription_count', ...more });
        assert.equal(answer.status, 200, answer.text);
        for (const { subscription_count: count } of Object.values(JSON.parse(answer.text).channels)) due += count;
      }
    };
    await rounds(30);
    for (const client of clients.slice(3, 5)) client.ws.pause();
    const under_way = rounds(150);
    await clients[5].roundTrip();
    clients[5].send('pusher:unsubscribe', { channel: 'law-a' });
    clients[6].close();
    clients[7].ws.close(1000);
    await clients[7].closeWithin();
    await under_way;
    await until('somebody lost something', async () => (await server.metrics()).sum('spillway_dropped_total') > start.sum('spillway_dropped_total'));
    for (const client of clients.slice(3, 5)) client.close();
    asleep.close();
    await rounds(10);
    await until('nothing is under way any more', async () => {
      const now = await server.metrics();
      const books = ['deliveries', 'dropped', 'excluded'].map((name) => `spillway_${name}_total`).map((name) => now.sum(name) - start.sum(name));
      return now.sum('spillway_queued_messages') === 0 && books[0] + books[1] + books[2] === due;
    });
    const now = await server.metrics();
    assert.ok(now.sum('spillway_excluded_total') > start.sum('spillway_excluded_total'));
    assert.ok(now.sum('spillway_dropped_total', { reason: 'client_closed' }) > 0, 'somebody went with messages in his queue');
  });
});

onCores('clients that come and go', {}, (group) => {
  group('R1 H5 C10 a thousand leave nothing behind, half of them by reset', async (server) => {
    const descriptors = server.descriptors();
    const one = async (i) => {
      if (i % 8 === 7) {
        const raw = await RawSocket.connect(server);
        await raw.flush(upgradeHead('/app/app-key?protocol=7').slice(0, 20 + (i % 100)));
        return i % 2 ? raw.reset() : raw.close();
      }
      if (i % 2) {
        const client = await FrameClient.open(server, '/app/app-key?protocol=7');
        client.send(op.text, `{"event":"pusher:subscribe","data":{"channel":"c${i % 10}"}}`);
        if (i % 3) await client.frame();
        return client.raw.reset();
      }
      const client = i % 4 ? await FeedReader.open(server, `c${i % 10}`) : await PlainPusher.open(server);
      client.ws.close(1000);
      return i % 4 ? client.closed : client.closeWithin();
    };
    for (let i = 0; i < 1000; i += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => one(i + k)));
    await server.untilClients(0);
    await server.untilMetric('spillway_subscriptions', {}, 0);
    await server.untilMetric('spillway_channels', {}, 0);
    await until(() => `descriptors are back at ${descriptors} (now ${server.descriptors()})`, () => server.descriptors() <= descriptors);
  }, { ms: 40_000 });

  group('random bytes, before and after the upgrade, harm nobody', async (server) => {
    const innocent = await FeedReader.open(server, 'calm');
    const descriptors = server.descriptors();
    let seed = 7; // Lehmer's generator: the same bytes in every run
    const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
    const noise = (n) => Buffer.from(Array.from({ length: n }, () => random(256)));
    const attack = async (i) => {
      const raw = await RawSocket.connect(server);
      if (i % 3) raw.write(upgradeHead(i % 3 === 1 ? '/app/app-key' : '/feed/calm?key=app-key'));
      if (i % 5 === 0) raw.write(Buffer.concat([Buffer.from([0x80 | random(16), 0x80 | random(128)]), noise(200)]));
      await raw.flush(noise(1 + random(3000)));
      if (i % 2) raw.close();
      else raw.reset();
    };
    for (let i = 0; i < 600; i += 30) await Promise.all(Array.from({ length: 30 }, (_, k) => attack(i + k)));
    await server.untilMetric('spillway_clients', { kind: 'feed' }, 1);
    await server.untilMetric('spillway_clients', { kind: 'pusher' }, 0);
    await new Api(server, { connections: 1 }).publish('calm', 'e', 'still here');
    assert.equal(await innocent.text(), 'still here');
    await until('the descriptors are back', () => server.descriptors() <= descriptors + 1); // the publisher's
  });

  group('R3 a flood of pings by a client that does not read costs nothing', async (server) => {
    const before = server.residentBytes();
    const clients = await Promise.all(Array.from({ length: 20 }, () => FrameClient.open(server, '/feed/x?key=app-key')));
    const pings = Buffer.concat(Array.from({ length: 5000 }, () => frame(op.ping, Buffer.alloc(125, 'p'))));
    for (const client of clients) client.raw.socket.pause();
    await Promise.all(clients.map((client) => client.raw.flush(pings)));
    const other = await FrameClient.open(server, '/feed/x?key=app-key');
    other.send(op.ping, 'me too');
    assert.equal((await other.frame()).payload.toString(), 'me too');
    assert.ok(server.residentBytes() - before < 32 * 1024 * 1024, `grew by ${server.residentBytes() - before}`);
  });

  group('R2 a close is counted with its code', async (server) => {
    const client = await PlainPusher.open(server);
    const before = await server.metric('spillway_client_closes_total', { code: '1000' });
    client.ws.close(1000);
    assert.equal((await client.closeWithin()).code, 1000);
    await server.untilMetric('spillway_client_closes_total', { code: '1000' }, before + 1);
  });

  group('R2 codes that only one peer uses are counted as other, not as none', async (server) => {
    const codes = { 1010: '1010', 4000: '4000', 3456: 'other', 4999: 'other' };
    for (const [code, label] of Object.entries(codes)) {
      const before = await server.metric('spillway_client_closes_total', { code: label });
      const client = await PlainPusher.open(server);
      client.ws.close(Number(code));
      await client.closeWithin();
      await server.untilMetric('spillway_client_closes_total', { code: label }, before + 1);
    }
  });

  group('the JSON has the ends of connections and requests, and how long turns take, as the metrics have', async (server) => {
    const client = await PlainPusher.open(server);
    client.ws.close(1000);
    await client.closeWithin();
    await server.untilMetric('spillway_client_closes_total', { code: '1000' }, (n) => n > 0);
    const before = await server.metrics();  // whose own connection may end, or not yet, before the next
    const stats = JSON.parse((await server.page('/stats')).text);
    const after = await server.metrics();
    const flat = (tree, outer, inner) => Object.entries(tree).flatMap(([o, of]) =>
      Object.entries(of).map(([i, n]) => [{ [outer]: o, [inner]: i }, n]));
    const families = [['client_closes', flat(stats.client_closes, 'code', 'reason')],
      ['refused', Object.entries(stats.refused).map(([reason, n]) => [{ reason }, n])],
      ['http_requests', flat(stats.http_requests, 'endpoint', 'status')]];
    for (const [name, samples] of families) {
      assert.ok(samples.length > 0, name);
      for (const [labels, n] of samples) {
        const [least, most] = [before, after].map((metrics) => metrics.sum(`spillway_${name}_total`, labels));
        assert.ok(least <= n && n <= most, `${name} ${JSON.stringify(labels)}: ${least} <= ${n} <= ${most}`);
      }
    }
    assert.ok(stats.client_closes['1000'].peer_closed >= 1, JSON.stringify(stats.client_closes));
    assert.ok(stats.loop_lag_seconds.count > 0);
  });
});

onCores('--max-clients', { flags: ['--max-clients', '5'] }, (group) => {
  group('S4 R8 C6 admits exactly that many, refuses the others with 503 and Retry-After', async (server) => {
    for (let round = 0; round < 3; round++) {
      const raws = await Promise.all(Array.from({ length: 20 }, () => RawSocket.connect(server)));
      for (const raw of raws) raw.write(upgradeHead('/app/app-key?protocol=7'));
      const answers = await Promise.all(raws.map((raw) => raw.response()));
      assert.equal(answers.filter((a) => a.status === 101).length, 5);
      const refusals = answers.filter((a) => a.status === 503);
      assert.equal(refusals.length, 15);
      for (const answer of refusals) assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
      assert.equal((await server.page('/healthz')).status, 200);
      server.closeClients();
      await server.untilClients(0);
    }
  });
});

const quotas = `
[[app]]
id = "app-id"
key = "app-key"
secret = "app-secret"
max_clients = 3
max_channels_per_client = 2
`;
onCores('quotas of an app', { toml: quotas }, (group) => {
  group('C6 max_clients admits exactly that many, the others get 4004', async (server) => {
    for (let round = 0; round < 3; round++) {
      const clients = Array.from({ length: 10 }, () => PlainPusher.start(server));
      const first = await Promise.all(clients.map((c) => c.inbox.take('first message')));
      assert.equal(first.filter((m) => m.event === 'pusher:connection_established').length, 3);
      const refused = clients.filter((_, i) => first[i].event === 'pusher:error');
      for (const message of first) if (message.event === 'pusher:error') assert.equal(message.data.code, 4004);
      for (const client of refused) assert.equal((await client.closeWithin()).code, 4004);
      server.closeClients();
      await server.untilClients(0);
    }
  });

  group('max_channels_per_client refuses the next and keeps the others', async (server) => {
    const client = await PlainPusher.open(server);
    await client.subscribe('a');
    await client.subscribe('b');
    client.send('pusher:subscribe', { channel: 'c' });
    await client.inbox.take('pusher:error', (m) => m.event === 'pusher:error');
    client.send('pusher:unsubscribe', { channel: 'a' });
    await client.roundTrip();
    await client.subscribe('c');
  });
});

for (const cores of [1, 2]) {
  it(`S8 drain under live broadcast: 4200 and 1012 to all, whole frames, exit 0 (--cores ${cores})`, { timeout: deadline(30_000) }, async () => {
    const server = await Server.start({ cores, drainMs: 5000, flags: ['--drain-timeout', '5s'] });
    try {
      const pushers = await Promise.all(Array.from({ length: 50 }, () => PlainPusher.open(server)));
      for (const client of pushers) client.send('pusher:subscribe', { channel: 'live' });
      await Promise.all(pushers.map((c) => c.event('pusher_internal:subscription_succeeded')));
      const feeds = await Promise.all(Array.from({ length: 50 }, () => FeedReader.open(server, 'live')));
      const publisher = publishForever(server);
      await Promise.all(feeds.map((f) => f.text()));
      server.signal('SIGTERM');
      const ends = await within(6000, 'all closes', Promise.all([...pushers, ...feeds].map((c) => c.closed)));
      assert.deepEqual(ends.map((e) => e.code), [...Array(50).fill(4200), ...Array(50).fill(1012)]);
      const end = await within(6000, 'exit', server.exited);
      assert.deepEqual(end, { code: 0, signal: null });
      await publisher;
      for (const client of feeds) assertContiguous(client.inbox.items.map((m) => Number(m.data)));
      for (const client of pushers) {
        assertContiguous(client.inbox.items.filter((m) => m.event === 'e').map((m) => Number(m.data)));
        const error = client.inbox.items.find((m) => m.event === 'pusher:error');
        assert.equal(error?.data.code, 4200);
      }
    } catch (error) {
      error.message += server.story();
      throw error;
    } finally {
      server.closeClients();
      server.kill();
    }
  });

  it(`/readyz says 503 while draining, /healthz 200 (--cores ${cores})`, { timeout: deadline(20_000) }, async () => {
    const server = await Server.start({ cores });
    try {
      const stubborn = await FrameClient.open(server, '/app/app-key?protocol=7'); // will not answer the close
      server.signal('SIGTERM');
      await until('/readyz says 503', async () => (await server.page('/readyz')).status === 503);
      assert.equal((await server.page('/healthz')).status, 200);
      assert.equal((await stubborn.closing()).code, 4200);
    } finally {
      await server.stop();
    }
  });

  it(`drain is not held up by idle API connections or half-open handshakes (--cores ${cores})`, { timeout: deadline(20_000) }, async () => {
    const server = await Server.start({ cores });
    const api = new Api(server);
    await api.publish('c', 'e', 'x');
    await RawSocket.connect(server);
    const half = await RawSocket.connect(server);
    await half.flush('GET /app/app-key HTTP/1.1\r\nHo');
    const start = Date.now();
    server.signal('SIGTERM');
    await within(8000, 'exit', server.exited);
    assert.ok(Date.now() - start < deadline(6000), `${Date.now() - start} ms`);
    await server.stop();
  });
}

for (const cores of [1, 2]) {
  it(`drain ends by its deadline although readers do not read (--cores ${cores})`, { timeout: deadline(20_000) }, async () => {
    const server = await Server.start({ cores, drainMs: 1000, flags: ['--drain-timeout', '1s', '--max-http-body', '4MiB'] });
    const stuck = await Promise.all(Array.from({ length: 20 }, () => FrameClient.open(server, '/feed/c?key=app-key')));
    for (const client of stuck) client.raw.socket.pause();
    const api = new Api(server);
    await api.publishAll(Array.from({ length: 300 }, (_, n) => ({ name: 'e', channel: 'c', data: String(n).padEnd(10_000) })));
    const start = Date.now();
    server.signal('SIGTERM');
    await within(4000, 'exit', server.exited);
    assert.ok(Date.now() - start < deadline(3000), `${Date.now() - start} ms`);
    await server.stop();
  });
}

it('a second SIGTERM during the drain does no harm', { timeout: deadline(20_000) }, async () => {
  const server = await Server.start({ cores: 2 });
  const stubborn = await FrameClient.open(server, '/app/app-key?protocol=7');
  server.signal('SIGTERM');
  assert.equal((await stubborn.closing()).code, 4200);
  server.signal('SIGTERM');
  await server.stop();
});

it('SIGINT drains as SIGTERM does', { timeout: deadline(20_000) }, async () => {
  const server = await Server.start({ cores: 2 });
  const client = await PlainPusher.open(server);
  server.signal('SIGINT');
  assert.equal((await client.closeWithin()).code, 4200);
  await server.stop();
});

/** Publishes numbers until the server is gone. */
async function publishForever(server) {
  const api = new Api(server, { connections: 1 });
  for (let n = 0; ; n++) {
    try {
      const answer = await api.events({ name: 'e', channel: 'live', data: String(n) });
      if (answer.status !== 200) return;
    } catch {
      return;
    }
  }
}

function assertContiguous(numbers) {
  assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + i), 'without a gap until the close');
}

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Webhooks as a backend receives them, checked by the official library. The complaint answered here: webhooks lost,
// unretried, or fired on a page reload.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FeedReader, officialPublisher, PlainPusher } from './support/clients.mjs';
import { deadline, until } from './support/deadline.mjs';
import { quietPort } from './support/quiet_port.mjs';
import { Server } from './support/server.mjs';
import { WebhookReceiver } from './support/webhook_receiver.mjs';

const app = { id: 'shop', key: 'shop-key', secret: 'shop-secret' };

const settings = (webhooks, more = '') => `
[server]
${more}
[[app]]
id = "${app.id}"
key = "${app.key}"
secret = "${app.secret}"
client_events = true
${webhooks.map((keys) => `[[app.webhook]]\n${keys}\n`).join('')}`;

/** For receivers on loopback: what is refused by default has a test of its own. */
const inside = (receiver, more = '') => `url = "${receiver.url}/hook"\nallow_private_network = true\n${more}`;

/** One test with receivers and a server, which must drain to exit code 0 at the end. */
function test(name, { receivers = 1, cores = [1], answer = [], ms = 25_000 }, body) {
  for (const count of cores) {
    it(cores.length > 1 ? `${name} (--cores ${count})` : name, { timeout: deadline(ms) }, async () => {
      const all = [];
      for (let i = 0; i < receivers; ++i) all.push(await WebhookReceiver.start({ app, answer: answer[i] }));
      let server = null;
      const start = async (toml, options = {}) => (server = await Server.start({ toml, app, cores: count, ...options }));
      try {
        await body(start, ...all);
        await server.stop();
      } catch (error) {
        if (server) error.message += server.story();
        throw error;
      } finally {
        server?.kill();
        for (const receiver of all) receiver.close();
      }
    });
  }
}

const lost = (server) =>
  Promise.all(['dropped', 'expired', 'overrun', 'unsent'].map((result) => server.metric('spillway_webhooks_total', { result })));

describe('webhooks', { concurrency: 8 }, () => {
  test('the first subscriber occupies a channel, the last one vacates it three seconds later', { cores: [1, 2] }, async (start, receiver) => {
    const server = await start(settings([inside(receiver)]));
    const first = await PlainPusher.open(server);
    await first.subscribe('news');
    await first.subscribe('private-a');
    await receiver.event('channel_occupied', 'news');
    await receiver.event('channel_occupied', 'private-a');
    const second = await PlainPusher.open(server);
    await second.subscribe('news');
    const feed = await FeedReader.open(server, 'news');
    first.send('pusher:unsubscribe', { channel: 'news' });
    second.close();
    await server.untilMetric('spillway_subscriptions', {}, 2);
    assert.deepEqual(receiver.rest(), []);
    const left = Date.now();
    feed.close();
    assert.deepEqual(await receiver.event('channel_vacated', 'news'), { name: 'channel_vacated', channel: 'news' });
    assert.ok(Date.now() - left >= 2900, `told after ${Date.now() - left} ms`);
    assert.deepEqual(receiver.rest(), []);

    const [request] = receiver.requests;
    assert.equal(request.method, 'POST');
    assert.equal(request.target, '/hook');
    assert.equal(request.headers['x-pusher-key'], app.key);
    assert.match(request.headers['x-pusher-signature'], /^[0-9a-f]{64}$/);
    assert.match(request.rawBody, /^\{"time_ms":\d{13},"events":\[\{"name":"channel_occupied","channel":"[a-z-]+"\}\]\}$/);
    assert.ok(Math.abs(request.time.getTime() - request.at) < 5000);
    assert.equal(receiver.requests.every((r) => r.events.length === 1), true, 'one event per POST');
    assert.deepEqual(await lost(server), [0, 0, 0, 0]);
    await server.untilMetric('spillway_webhooks_total', { result: 'delivered' }, 3);
    const stats = JSON.parse((await server.page('/stats')).text);
    assert.equal(stats.webhooks.delivered, 3);
    assert.equal(stats.webhook_posts.ok, 3);
  });

  test('no webhook is fired on a page reload', { cores: [1, 2] }, async (start, receiver) => {
    const server = await start(settings([inside(receiver)]));
    let page = await PlainPusher.open(server);
    await page.subscribe('cart');
    await receiver.event('channel_occupied', 'cart');
    for (let reload = 0; reload < 3; ++reload) {
      page.close();
      await server.untilMetric('spillway_webhooks_held', {}, 1);
      page = await PlainPusher.open(server);
      await page.subscribe('cart');
      await server.untilMetric('spillway_webhooks_held', {}, 0);
    }
    page.send('pusher:unsubscribe', { channel: 'cart' });
    await server.untilMetric('spillway_webhooks_held', {}, 1);
    await page.subscribe('cart');
    await server.untilMetric('spillway_webhooks_total', { result: 'returned' }, 8);
    page.close();
    await receiver.event('channel_vacated', 'cart');
    assert.deepEqual(receiver.rest(), []);
    assert.equal(receiver.requests.length, 2);
  });

  test('client events reach the backend in order, with data as a string and the socket that sent them', { cores: [1, 2] }, async (start, receiver) => {
    const server = await start(settings([inside(receiver, 'events = ["client_event"]')]));
    const talker = await PlainPusher.open(server);
    const listener = await PlainPusher.open(server);
    await talker.subscribe('private-chat');
    await listener.subscribe('private-chat');
    const said = [{ a: 'ä"\n' }, 'plain "text"', 7, null, ['x']];
    for (const [i, data] of said.entries()) talker.send(`client-${i}`, data, 'private-chat');
    for (const [i, data] of said.entries()) {
      const event = await receiver.event('client_event');
      const text = typeof data === 'string' ? data : JSON.stringify(data);
      assert.deepEqual(event, { name: 'client_event', channel: 'private-chat', event: `client-${i}`, data: text, socket_id: talker.socketId });
    }
    await officialPublisher(server).trigger('private-chat', 'client-looks-like-it', 'from the backend');
    await listener.event('client-looks-like-it');
    talker.send('client-refused', 1, 'private-elsewhere');
    talker.send('client-last', 1, 'private-chat');
    assert.equal((await receiver.event('client_event')).event, 'client-last');
  });

  test('webhooks are filtered by event and by channel prefix, batched, and carry the headers asked for', { receivers: 3 },
    async (start, all, vacated, rooms) => {
      const server = await start(settings([
        inside(all, 'batch = true\nheaders = { Authorization = "Bearer 7", X-Env = "test" }'),
        inside(vacated, 'events = ["channel_vacated"]'),
        inside(rooms, 'events = ["channel_occupied"]\nchannel_prefix = "room-"'),
      ]));
      const client = await PlainPusher.open(server);
      const names = [...Array.from({ length: 40 }, (_, i) => `room-${i}`), 'hall'];
      await Promise.all(names.map((name) => client.subscribe(name)));
      for (const name of names) await all.event('channel_occupied', name);
      for (const name of names.slice(0, -1)) await rooms.event('channel_occupied', name);
      assert.ok(all.requests.length < names.length, `${all.requests.length} POSTs for ${names.length} events`);
      assert.equal(all.requests[0].headers.authorization, 'Bearer 7');
      assert.equal(all.requests[0].headers['x-env'], 'test');
      client.close();
      for (const name of names) await vacated.event('channel_vacated', name);
      for (const name of names) await all.event('channel_vacated', name);
      for (const receiver of [all, vacated, rooms]) assert.deepEqual(receiver.rest(), []);
    });

  let failures = 0;
  test('webhooks answered with 500 are retried until they are taken, with the same bytes', {
    answer: [(request, response) => (++failures > 3 ? false : (response.writeHead(500).end('no'), true))],
  }, async (start, receiver) => {
    const server = await start(settings([inside(receiver)]));
    const client = await PlainPusher.open(server);
    await client.subscribe('news');
    await receiver.event('channel_occupied', 'news', 15_000);
    assert.equal(receiver.requests.length, 4);
    assert.equal(new Set(receiver.requests.map((r) => r.rawBody)).size, 1);
    const waits = receiver.requests.slice(1).map((r, i) => r.at - receiver.requests[i].at);
    for (const [i, least] of [490, 990, 1990].entries()) assert.ok(waits[i] >= least, `waits: ${waits}`);
    await server.untilMetric('spillway_webhooks_total', { result: 'delivered' }, 1);
    assert.equal(await server.metric('spillway_webhook_posts_total', { result: 'status' }), 3);
    assert.deepEqual(await lost(server), [0, 0, 0, 0]);
    const lines = server.stderr.split('\n').filter((line) => line.includes('webhook'));
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0], /webhook http:\/\/127\.0\.0\.1:\d+\/hook fails, .*it answered 500/);
  });

  const taken = [];
  let refusals = 0;
  test('no webhook overtakes an earlier one of its channel that is being retried, and other channels go on', {
    answer: [(request, response) => {
      const [event] = JSON.parse(request.rawBody).events;
      if (event.channel === 'private-a' && event.event === 'client-0' && ++refusals <= 2) {
        response.writeHead(503).end();
        return true;
      }
      taken.push(`${event.channel} ${event.event}`);
      return false;
    }],
  }, async (start, receiver) => {
    const server = await start(settings([inside(receiver, 'events = ["client_event"]')]));
    const client = await PlainPusher.open(server);
    await client.subscribe('private-a');
    await client.subscribe('private-b');
    for (let i = 0; i < 4; ++i) for (const channel of ['private-a', 'private-b']) client.send(`client-${i}`, i, channel);
    await until('all are there', () => taken.length === 8, 15_000);
    const of = (channel) => taken.filter((t) => t.startsWith(channel)).map((t) => t.slice(-1)).join('');
    assert.equal(of('private-a'), '0123');
    assert.equal(of('private-b'), '0123');
    assert.ok(taken.indexOf('private-b client-3') < taken.indexOf('private-a client-0'), taken.join());
  });

  test('a receiver that hangs and one that is dead hold up no other', {
    receivers: 2, answer: [() => true],
  }, async (start, hanging, well) => {
    const dead = await quietPort();
    const server = await start(settings([
      inside(hanging, 'timeout = "4s"'), `url = "http://127.0.0.1:${dead}/"\nallow_private_network = true`, inside(well),
    ]), { drainMs: 2000, flags: ['--drain-timeout', '2s'] });
    const client = await PlainPusher.open(server);
    for (let i = 0; i < 30; ++i) await client.subscribe(`room-${i}`);
    for (let i = 0; i < 30; ++i) await well.event('channel_occupied', `room-${i}`);
    assert.equal(await server.metric('spillway_webhook_posts_total', { result: 'timeout' }), 0, 'before anything timed out');
    await server.untilMetric('spillway_webhook_posts_total', { result: 'timeout' }, (n) => n >= 1, 10_000);
    await server.untilMetric('spillway_webhook_posts_total', { result: 'failed' }, (n) => n >= 1);
    assert.equal(await server.metric('spillway_webhooks_queued'), 60);
    // It ends within the drain timeout nevertheless, and says what was not delivered.
    client.close();
    await server.stop();
    assert.match(server.stderr, /webhook events were not delivered before the end/);
  });

  const secretPlace = [];
  test('a webhook that is redirected goes nowhere else', {
    receivers: 2,
    answer: [
      (request, response) => (response.writeHead(302, { location: secretPlace[0] }).end(), true),
      () => (assert.fail('the redirect was followed'), true),
    ],
  }, async (start, redirecting, inner) => {
    secretPlace[0] = `${inner.url}/metadata`;
    const server = await start(settings([inside(redirecting)]), { flags: ['--drain-timeout', '1s'], drainMs: 1000 });
    const client = await PlainPusher.open(server);
    await client.subscribe('news');
    await server.untilMetric('spillway_webhook_posts_total', { result: 'status' }, (n) => n >= 2);
    assert.equal(inner.requests.length, 0);
  });

  test('webhooks to private addresses are refused after resolving, by default', {}, async (start, receiver) => {
    const urls = [receiver.url, `http://localhost:${receiver.port}/`, `http://[::1]:${receiver.port}/`, `http://0.0.0.0:${receiver.port}/`,
                  `http://2130706433:${receiver.port}/`, `http://[::ffff:127.0.0.1]:${receiver.port}/`,
                  'http://169.254.169.254/latest/meta-data/', 'http://10.0.0.1/'];
    // A connection that another webhook may keep to the same place opens no way in.
    const server = await start(settings([inside(receiver, 'events = ["client_event"]'), ...urls.map((url) => `url = "${url}"`)]), {
      flags: ['--drain-timeout', '1s'], drainMs: 1000,
      env: { http_proxy: receiver.url, https_proxy: receiver.url, all_proxy: receiver.url },
    });
    const client = await PlainPusher.open(server);
    await client.subscribe('private-a');
    client.send('client-x', 1, 'private-a');
    await receiver.event('client_event');
    await server.untilMetric('spillway_webhook_posts_total', { result: 'refused' }, (n) => n >= 2 * urls.length, 10_000);
    assert.equal(await server.metric('spillway_webhook_posts_total', { result: 'failed' }), 0);
    assert.equal(receiver.requests.length, 1);
    assert.match(server.stderr, /its address is not public/);
  });

  const gate = { open: false };
  let opened = false;
  test('a full queue drops webhooks, counted, and what it holds is delivered', {
    answer: [(request, response) => (gate.open ? false : (response.writeHead(503).end(), true))],
  }, async (start, receiver) => {
    const server = await start(settings([inside(receiver, 'queue_events = 3')]));
    const client = await PlainPusher.open(server);
    for (let i = 0; i < 10; ++i) await client.subscribe(`room-${i}`);
    await server.untilMetric('spillway_webhooks_total', { result: 'dropped' }, 7);
    assert.equal(await server.metric('spillway_webhooks_queued'), 3);
    assert.ok((await server.metric('spillway_webhooks_queued_bytes')) > 0);
    gate.open = true;
    for (let i = 0; i < 3; ++i) await receiver.event('channel_occupied', `room-${i}`, 10_000);
    await server.untilMetric('spillway_webhooks_queued', {}, 0);
    assert.equal(await server.metric('spillway_webhooks_queued_bytes'), 0);
    await until('it is said', () => server.stderr.includes('webhook events were given up'));
  });

  test('a draining server sends the webhooks that wait, departures too', { cores: [1, 2] }, async (start, receiver) => {
    const server = await start(settings([inside(receiver)]));
    const staying = await PlainPusher.open(server);
    await staying.subscribe('stays');
    const leaving = await PlainPusher.open(server);
    await leaving.subscribe('left');
    await receiver.event('channel_occupied', 'left');
    leaving.close();
    await server.untilMetric('spillway_webhooks_held', {}, 1);
    const asked = Date.now();
    server.signal('SIGTERM');
    await receiver.event('channel_vacated', 'left', 2500);
    await receiver.event('channel_vacated', 'stays', 2500);
    await server.exited;
    assert.ok(Date.now() - asked < deadline(2900), 'nobody was waited for');
    assert.doesNotMatch(server.stderr, /not delivered/);
  });

  test('a reload brings a new webhook, and the one that stays keeps what waits for it', {
    receivers: 2, cores: [2], answer: [(request, response) => (opened ? false : (response.writeHead(503).end(), true))],
  }, async (start, stays, added) => {
    const server = await start(settings([inside(stays)]));
    const client = await PlainPusher.open(server);
    await client.subscribe('before');
    await server.untilMetric('spillway_webhook_posts_total', { result: 'status' }, (n) => n >= 1);
    await server.reload(settings([inside(added), inside(stays)]));
    opened = true;
    await client.subscribe('after');
    await added.event('channel_occupied', 'after');
    await stays.event('channel_occupied', 'before');
    await stays.event('channel_occupied', 'after');
    await server.reload(settings([]));
    await client.subscribe('unheard');
    client.close();
    await server.untilClients(0);
    assert.deepEqual([...stays.rest(), ...added.rest()], []);
    assert.equal(await server.metric('spillway_webhooks_queued'), 0);
  });

  test('a receiver that answers without end is cut, and its status counts', {
    answer: [(request, response) => {
      response.writeHead(200);
      const pour = () => { while (response.write(Buffer.alloc(16_384)) && !response.destroyed); };
      response.on('drain', pour);
      pour();
      return true;
    }],
  }, async (start, receiver) => {
    const server = await start(settings([inside(receiver)]));
    const client = await PlainPusher.open(server);
    await client.subscribe('news');
    await server.untilMetric('spillway_webhooks_total', { result: 'delivered' }, 1);
    assert.equal(receiver.requests.length, 1);
  });
});

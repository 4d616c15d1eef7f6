// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a backend may ask, with the official library and by hand; many requests of one connection under way; keys, rates
// and pages of other origins.

import assert from 'node:assert/strict';
import { Api, signedTarget } from './support/api.mjs';
import { FeedReader, officialPublisher, PlainPusher } from './support/clients.mjs';
import { head, RawSocket } from './support/raw_socket.mjs';
import { onCores } from './support/server.mjs';

const events = (app) => `/apps/${app.id}/events`;

/** A signed request as bytes. */
function request(server, method, path, { body = '', params, headers = [] } = {}) {
  const target = signedTarget(server.app, { method, path, body, params });
  const length = body ? ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`] : [];
  return head(`${method} ${target} HTTP/1.1`, 'Host: x', ...length, ...headers) + body;
}
const publish = (server, event, options = {}) =>
  request(server, 'POST', events(server.app), { body: JSON.stringify({ name: 'e', channel: 'c', data: 'd', ...event }), ...options });

const member = (id) => JSON.stringify({ user_id: id, user_info: { name: `user ${id}` } });

onCores('questions of the official library', {}, (group) => {
  group('channels, a channel and its users', async (server) => {
    for (const id of ['1', '2', '2']) await (await PlainPusher.open(server)).subscribe('presence-room', member(id));
    await (await PlainPusher.open(server)).subscribe('room');
    const pusher = officialPublisher(server);
    const ask = async (path, params) => (await pusher.get({ path, params })).json();
    assert.deepEqual(await ask('/channels'), { channels: { 'presence-room': {}, room: {} } });
    assert.deepEqual(await ask('/channels', { filter_by_prefix: 'presence-', info: 'user_count' }),
      { channels: { 'presence-room': { user_count: 2 } } });
    assert.deepEqual(await ask('/channels/presence-room', { info: 'user_count,subscription_count' }),
      { occupied: true, user_count: 2, subscription_count: 3 });
    assert.deepEqual(await ask('/channels/presence-room/users'), { users: [{ id: '1' }, { id: '2' }] });
    await assert.rejects(pusher.get({ path: '/channels/room/users' }), (error) => error.status === 400);
    await assert.rejects(pusher.get({ path: '/channels', params: { info: 'user_count' } }), (error) => error.status === 400);
  });

  group('trigger and triggerBatch tell what info asks for', async (server) => {
    for (const id of ['1', '2']) await (await PlainPusher.open(server)).subscribe('presence-room', member(id));
    await (await PlainPusher.open(server)).subscribe('room');
    const pusher = officialPublisher(server);
    const one = await pusher.trigger(['room', 'presence-room', 'nobody'], 'e', 'd', { info: 'user_count,subscription_count' });
    assert.deepEqual(await one.json(), {
      channels: {
        room: { subscription_count: 1 },
        'presence-room': { user_count: 2, subscription_count: 2 },
        nobody: { subscription_count: 0 },
      },
    });
    const batch = await pusher.triggerBatch([
      { channel: 'room', name: 'e', data: 'd', info: 'subscription_count' },
      { channel: 'room', name: 'e', data: 'd' },
      { channel: 'presence-room', name: 'e', data: 'd', info: 'user_count' },
    ]);
    assert.deepEqual(await batch.json(), { batch: [{ subscription_count: 1 }, {}, { user_count: 2 }] });
    assert.deepEqual(await (await pusher.trigger('room', 'e', 'd')).json(), {});
  });

  group('retries under one idempotency key are delivered once', async (server) => {
    const reader = await FeedReader.open(server, 'room');
    const publishers = [officialPublisher(server), officialPublisher(server), officialPublisher(server)];
    const answers = await Promise.all(
      [...publishers, ...publishers].map((p) => p.trigger('room', 'e', 'once', { idempotency_key: 'k', info: 'subscription_count' })),
    );
    for (const answer of answers) assert.deepEqual(await answer.json(), { channels: { room: { subscription_count: 1 } } });
    const again = officialPublisher(server).trigger('room', 'e', 'twice', { idempotency_key: 'k' });
    await assert.rejects(again, (error) => error.status === 409);
    await publishers[0].trigger('room', 'e', 'end');
    assert.equal(await reader.text(), 'once');
    assert.equal(await reader.text(), 'end');
  });

  group('a cache channel tells its event and how long it will be kept', async (server) => {
    const api = new Api(server);
    await api.publish('cache-room', 'e', '{"n":1}');
    const path = `/apps/${server.app.id}/channels/cache-room`;
    const { text } = await api.request({ method: 'GET', path, params: { info: 'cache' } });
    const { occupied, cache } = JSON.parse(text);
    assert.deepEqual([occupied, cache.data], [false, '{"n":1}']);
    assert.ok(cache.ttl > 1700 && cache.ttl <= 1800, text);
  });

  group('two thousand channels of many clients are all in one list', async (server) => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => PlainPusher.open(server)));
    const names = Array.from({ length: 2000 }, (_, i) => `room-${i}`);
    names.forEach((name, i) => clients[i % clients.length].askToSubscribe(name));
    await Promise.all(names.map((name, i) => clients[i % clients.length].event('pusher_internal:subscription_succeeded', name)));
    const { channels } = await (await officialPublisher(server).get({ path: '/channels' })).json();
    assert.deepEqual(Object.keys(channels).sort(), names.sort());
  });
});

onCores('many requests of one connection', {}, (group) => {
  group('two hundred at once, questions among them, are answered and published in order', async (server) => {
    const reader = await FeedReader.open(server, 'c');
    const raw = await RawSocket.connect(server);
    const channel = `/apps/${server.app.id}/channels/c`;
    raw.write(Array.from({ length: 200 }, (_, i) =>
      i % 10 === 9 ? request(server, 'GET', channel, { params: { info: 'subscription_count' } })
        : publish(server, { data: String(i), ...(i % 10 === 5 ? { idempotency_key: `k${i}` } : {}) })).join(''));
    for (let i = 0; i < 200; i++) {
      const answer = await raw.response();
      const expected = i % 10 === 9 ? '{"occupied":true,"subscription_count":1}' : '{}';
      assert.deepEqual([answer.status, answer.body], [200, expected], `answer ${i}`);
    }
    for (let i = 0; i < 200; i++) if (i % 10 !== 9) assert.equal(await reader.text(), String(i));
  });

  group('Expect: 100-continue behind other requests waits for their answers', async (server) => {
    const raw = await RawSocket.connect(server);
    const body = JSON.stringify({ name: 'e', channel: 'c', data: 'd' });
    const expecting = publish(server, {}, { headers: ['Expect: 100-continue'] });
    raw.write(publish(server).repeat(20) + expecting.slice(0, -body.length));
    for (let i = 0; i < 20; i++) assert.equal((await raw.response()).status, 200);
    assert.equal((await raw.response()).status, 100);
    raw.write(body + publish(server));
    for (let i = 0; i < 2; i++) assert.equal((await raw.response()).status, 200);
  });

  group('chunked bodies among others', async (server) => {
    const raw = await RawSocket.connect(server);
    const body = JSON.stringify({ name: 'e', channel: 'c', data: 'in chunks' });
    const target = signedTarget(server.app, { method: 'POST', path: events(server.app), body });
    const chunked = head(`POST ${target} HTTP/1.1`, 'Host: x', 'Transfer-Encoding: chunked') +
      `5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`;
    raw.write((publish(server) + chunked).repeat(40));
    for (let i = 0; i < 80; i++) assert.equal((await raw.response()).status, 200, `answer ${i}`);
  });

  group('a client that ends its side still gets every answer', async (server) => {
    const raw = await RawSocket.connect(server);
    raw.write(publish(server).repeat(100));
    raw.socket.end();
    for (let i = 0; i < 100; i++) assert.equal((await raw.response())?.status, 200, `answer ${i}`);
    await raw.closed();
  });

  group('Connection: close ends the connection behind the answers before it, and nothing after it is served', async (server) => {
    const raw = await RawSocket.connect(server);
    const reader = await FeedReader.open(server, 'c');
    raw.write(publish(server, { data: '1' }) + publish(server, { data: '2' }, { headers: ['Connection: close'] }) + publish(server, { data: '3' }));
    assert.equal((await raw.response()).headers.connection, undefined);
    assert.equal((await raw.response()).headers.connection, 'close');
    assert.equal(await raw.response(), null);
    await new Api(server).publish('c', 'e', 'end');
    for (const text of ['1', '2', 'end']) assert.equal(await reader.text(), text);
  });

  group('what is no HTTP is refused behind the answers before it', async (server) => {
    const raw = await RawSocket.connect(server);
    raw.write(`${publish(server).repeat(10)}BAD\r\n\r\n`);
    for (let i = 0; i < 10; i++) assert.equal((await raw.response()).status, 200);
    assert.equal((await raw.response()).status, 400);
    await raw.closed();
  });

  group('an upgrade behind publications waits for their answers', async (server) => {
    const raw = await RawSocket.connect(server);
    const path = `/apps/${server.app.id}/publish`;
    raw.write(publish(server).repeat(30) + request(server, 'GET', path, {
      headers: ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
    }));
    for (let i = 0; i < 30; i++) assert.equal((await raw.response()).status, 200);
    assert.equal((await raw.response()).status, 101);
  });

  group('one that does not read its answers holds up nobody', async (server) => {
    const raw = await RawSocket.connect(server);
    raw.socket.pause();
    const question = request(server, 'GET', `/apps/${server.app.id}/channels`);
    raw.write(question.repeat(3000));
    await new Api(server).publish('c', 'e', 'd');
    raw.socket.resume();
    for (let i = 0; i < 3000; i++) assert.equal((await raw.response()).status, 200);
  });
});

const strict = { id: '1', key: 'k1', secret: 's1' };
const settings = `
[[app]]
id = "1"
key = "k1"
secret = "s1"
publishes_per_second = 20
allowed_origins = ["https://*.example.com"]

[[app]]
id = "2"
key = "k2"
secret = "s2"
enabled = false
`;

onCores('rates, origins and apps', { toml: settings, app: strict }, (group) => {
  group('publishes_per_second admits exactly that many at once, over all connections; then 429', async (server) => {
    const api = new Api(server, { connections: 8 });
    const began = Date.now();
    const answers = await Promise.all(Array.from({ length: 60 }, () => api.events({ name: 'e', channel: 'c', data: 'd' })));
    const seconds = (Date.now() - began) / 1000;
    const granted = answers.filter((answer) => answer.status === 200).length;
    assert.ok(granted >= 20 && granted <= 20 + Math.ceil(seconds * 20), `${granted} in ${seconds} s`);
    const refused = answers.find((answer) => answer.status === 429);
    assert.equal(refused.headers['retry-after'], '1');
    assert.notEqual(refused.text.trim(), '');
    assert.equal(await server.metric('spillway_http_requests_total', { endpoint: 'events', status: '429' }), 60 - granted);
  });

  group('a disabled app is 403', async (server) => {
    const api = new Api(server, { app: { id: '2', key: 'k2', secret: 's2' } });
    assert.equal((await api.events({ name: 'e', channel: 'c', data: 'd' })).status, 403);
    assert.equal((await api.request({ method: 'GET', path: '/apps/2/channels' })).status, 403);
  });

  group('pages of allowed origins may read answers, others may not', async (server) => {
    const api = new Api(server);
    const ask = (origin) => api.request({ method: 'GET', path: '/apps/1/channels', headers: { origin } });
    const own = await ask('https://app.example.com');
    assert.deepEqual([own.status, own.headers['access-control-allow-origin'], own.headers.vary], [200, 'https://app.example.com', 'Origin']);
    const foreign = await ask('https://elsewhere.test');
    assert.deepEqual([foreign.status, foreign.headers['access-control-allow-origin']], [200, undefined]);
    const preflight = await api.request({ method: 'OPTIONS', path: '/apps/1/events', headers: { origin: 'https://elsewhere.test' } });
    assert.deepEqual([preflight.status, preflight.headers['access-control-allow-methods']], [204, undefined]);
  });

  group('answers are counted by endpoint and status', async (server) => {
    const api = new Api(server);
    const count = (endpoint, status) => server.metric('spillway_http_requests_total', { endpoint, status });
    const asked = { channels: '/apps/1/channels', channel: '/apps/1/channels/c', users: '/apps/1/channels/presence-c/users' };
    for (const [endpoint, path] of Object.entries(asked)) {
      const before = await count(endpoint, '200');
      assert.equal((await api.request({ method: 'GET', path })).status, 200);
      assert.equal(await count(endpoint, '200'), before + 1, endpoint);
    }
  });
});

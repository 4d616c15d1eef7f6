// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The official server library, call by call: what it sends is understood, and what it is answered is what it looks for.

import assert from 'node:assert/strict';
import http from 'node:http';
import PusherServer from 'pusher';
import { happens, officialPublisher, PlainPusher, pusherJs } from './support/clients.mjs';
import { onCores } from './support/server.mjs';

const json = async (promise) => (await promise).json();
const member = (id) => JSON.stringify({ user_id: id });

onCores('the official server library', {}, (group) => {
  group('trigger and triggerBatch answer with {}, and with what info asks for', async (server) => {
    const library = officialPublisher(server);
    const clients = await Promise.all([0, 1, 2].map(() => PlainPusher.open(server)));
    for (const client of clients) await client.subscribe('news');
    await clients[0].subscribe('presence-room', member('1'));
    await clients[1].subscribe('presence-room', member('1'));
    assert.deepEqual(await json(library.trigger('news', 'e', { a: 1 })), {});
    assert.deepEqual(await json(library.trigger(['news', 'presence-room'], 'e', 'x', { info: 'subscription_count' })),
      { channels: { 'news': { subscription_count: 3 }, 'presence-room': { subscription_count: 2 } } });
    assert.deepEqual(await json(library.triggerBatch([{ channel: 'news', name: 'e', data: {} }])), {});
    assert.deepEqual(await json(library.triggerBatch([
      { channel: 'news', name: 'e', data: {}, info: 'subscription_count' }, { channel: 'nobody', name: 'e', data: {} },
    ])), { batch: [{ subscription_count: 3 }, {}] });
    assert.equal((await clients[2].event('e', 'news')).data, '{"a":1}');
  });

  group('get: channels, one channel, who is there, as strings', async (server) => {
    const library = officialPublisher(server);
    const get = async (path, params) => json(library.get({ path, params }));
    assert.deepEqual(await get('/channels'), { channels: {} });
    const clients = await Promise.all([0, 1, 2].map(() => PlainPusher.open(server)));
    for (const client of clients) await client.subscribe('news');
    await clients[0].subscribe('presence-room', member(1));
    await clients[1].subscribe('presence-room', member(1));
    await clients[2].subscribe('presence-room', member('two'));
    await clients[0].subscribe('AZaz09_-=@,.;');
    assert.deepEqual(await get('/channels'), { channels: { 'news': {}, 'presence-room': {}, 'AZaz09_-=@,.;': {} } });
    assert.deepEqual(await get('/channels', { filter_by_prefix: 'presence-', info: 'user_count' }), { channels: { 'presence-room': { user_count: 2 } } });
    assert.deepEqual(await get('/channels', { filter_by_prefix: 'AZaz09_-=@,.;' }), { channels: { 'AZaz09_-=@,.;': {} } });
    assert.deepEqual(await get('/channels/news', { info: 'subscription_count' }), { occupied: true, subscription_count: 3 });
    assert.deepEqual(await get('/channels/presence-room', { info: 'user_count,subscription_count' }),
      { occupied: true, user_count: 2, subscription_count: 3 });
    assert.deepEqual(await get('/channels/nobody'), { occupied: false });
    const { users } = await get('/channels/presence-room/users');
    assert.deepEqual(users.map(({ id }) => id).sort(), ['1', 'two']);
    await json(library.trigger('cache-price', 'tick', { eur: 7 }));
    const { cache } = await get('/channels/cache-price', { info: 'cache' });
    assert.equal(cache.data, '{"eur":7}');
    assert.ok(cache.ttl > 0 && cache.ttl <= 1800, `${cache.ttl} s`);
    assert.deepEqual(await json(library.trigger('presence-room', 'e', 'x', { info: 'user_count' })),
      { channels: { 'presence-room': { user_count: 2 } } });
    assert.deepEqual(await json(library.triggerBatch([
      { channel: 'news', name: 'e', data: {} }, { channel: 'presence-room', name: 'e', data: {}, info: 'user_count' },
    ])), { batch: [{}, { user_count: 2 }] });
    for (const [path, params] of [['/channels', { info: 'user_count' }], ['/channels/news/users'], ['/channels/news', { info: 'user_count' }]]) {
      const error = await get(path, params).then(() => assert.fail(`${path} was answered`), (e) => e);
      assert.equal(error.status, 400, path);
      assert.notEqual(error.body, '');
    }
  });

  group('a hundred channels in one trigger', async (server) => {
    const client = await PlainPusher.open(server);
    const channels = Array.from({ length: 100 }, (_, i) => `many-${i}`);
    for (const channel of channels) await client.subscribe(channel);
    await officialPublisher(server).trigger(channels, 'e', 'x');
    for (const channel of channels) await client.event('e', channel);
  });

  group('authorizeChannel and authenticateUser sign what is taken: private, encrypted, presence, user', async (server) => {
    const { id: appId, key, secret } = server.app;
    const library = new PusherServer({
      appId, key, secret, host: server.host, port: String(server.port), useTLS: false,
      encryptionMasterKeyBase64: Buffer.alloc(32, 3).toString('base64'),
    });
    const user = 'auth0|7 ü@x';  // which its HTTP client escapes, after it was signed
    const pusher = await pusherJs(server, {
      channelAuthorization: {
        customHandler: ({ socketId, channelName }, done) => {
          const who = channelName.startsWith('presence-') ? { user_id: 'ä/1', user_info: { name: 'Ä "quoted"' } } : undefined;
          done(null, library.authorizeChannel(socketId, channelName, who));
        },
      },
      userAuthentication: {
        customHandler: ({ socketId }, done) => done(null, library.authenticateUser(socketId, { id: user, watchlist: ['x'] })),
      },
    });
    const names = ['private-l', 'private-encrypted-l', 'presence-l', 'private-cache-l', 'private-encrypted-cache-l', 'presence-cache-l'];
    const channels = names.map((name) => pusher.subscribe(name));
    const misses = channels.slice(3).map((c) => happens(c, 'pusher:cache_miss'));
    await Promise.all(channels.map((c) => happens(c, 'pusher:subscription_succeeded')));
    await Promise.all(misses);
    assert.deepEqual(channels[2].members.me, { id: 'ä/1', info: { name: 'Ä "quoted"' } });
    const signedIn = happens(pusher, 'pusher:signin_success');
    const watched = happens(pusher.user.watchlist, 'offline');
    pusher.signin();
    await signedIn;
    assert.deepEqual((await watched).user_ids, ['x']);
    for (const [i, name] of names.entries()) {
      const arrival = happens(channels[i], 'said');
      assert.deepEqual(await json(library.trigger(name, 'said', { to: name })), {});
      assert.deepEqual(await arrival, { to: name });
    }
    const note = happens(pusher.user, 'note');
    await library.sendToUser(user, 'note', { n: 1 });
    assert.deepEqual(await note, { n: 1 });
    const closed = happens(pusher.connection, 'disconnected');
    assert.deepEqual(await json(library.terminateUserConnections(user)), {});
    await closed;
  });

  group('what was encrypted is on the wire as nonce and ciphertext only', async (server) => {
    const { id: appId, key, secret } = server.app;
    const library = new PusherServer({
      appId, key, secret, host: server.host, port: String(server.port), useTLS: false,
      encryptionMasterKeyBase64: Buffer.alloc(32, 3).toString('base64'),
    });
    const client = await PlainPusher.open(server);
    await client.subscribe('private-encrypted-wire');
    await library.trigger('private-encrypted-wire', 'e', 'in the clear');
    const { data } = await client.event('e');
    assert.deepEqual(Object.keys(JSON.parse(data)), ['nonce', 'ciphertext']);
    assert.ok(!data.includes('in the clear'));
  });

  group('its errors carry status and reason: 401, 404, 413', async (server) => {
    const { app } = server;
    const refused = (settings, data = 'x') =>
      officialPublisher(server, { ...app, ...settings }).trigger('news', 'e', data).then(() => assert.fail('taken'), (error) => error);
    const wrong = await refused({ secret: 'wrong' });
    assert.deepEqual([wrong.name, wrong.status], ['PusherRequestError', 401]);
    assert.match(wrong.body, /signature/i);
    assert.equal((await refused({ key: 'other' })).status, 401);
    assert.equal((await refused({ id: 'nobody' })).status, 404);
    const large = await refused({}, 'x'.repeat(10_241));
    assert.equal(large.status, 413);
    assert.notEqual(large.body, '');
  });

  group('over a kept connection, hundred calls at once', async (server) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
    server.own({ close: () => agent.destroy() });
    const { id: appId, key, secret } = server.app;
    const library = new PusherServer({ appId, key, secret, host: server.host, port: String(server.port), useTLS: false, agent });
    const client = await PlainPusher.open(server);
    await client.subscribe('kept');
    await Promise.all(Array.from({ length: 100 }, (_, i) => json(library.trigger('kept', 'e', `${i}`))));
    const heard = new Set();
    for (let i = 0; i < 100; i++) heard.add((await client.event('e')).data);
    assert.equal(heard.size, 100);
    const sockets = Object.values(agent.freeSockets).flat().length;
    assert.ok(sockets >= 1 && sockets <= 4, `${sockets} kept`);
  });
});

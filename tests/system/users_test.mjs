// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Users: sign-in, events to a user, terminated connections, watchlists, connections that must be authorised. With pusher-js
// and the official server library as their users have them, and frame by frame.

import assert from 'node:assert/strict';
import { Api, channelAuth, feedAuth, signinAuth } from './support/api.mjs';
import { FeedReader, happens, officialPublisher, PlainPusher, pusherJs } from './support/clients.mjs';
import { until } from './support/deadline.mjs';
import { onCores } from './support/server.mjs';

/** pusher-js, signed in by the official library's own signature. */
async function signedIn(server, user, options = {}) {
  const library = officialPublisher(server);
  const pusher = await pusherJs(server, {
    userAuthentication: {
      customHandler: ({ socketId }, done) => done(null, library.authenticateUser(socketId, user)),
    },
    ...options,
  });
  const success = happens(pusher, 'pusher:signin_success');
  pusher.signin();
  await success;
  return pusher;
}

/** What a library's promise of a response says. */
const body = async (promise) => {
  const answer = await promise;
  assert.equal(answer.status, 200);
  return answer.json();
};

onCores('users with pusher-js and the official library', {}, (group) => {
  group('signin, sendToUser: every connection of the user hears it, nobody else does', async (server) => {
    const [one, two, other] = await Promise.all(['7', '7', '8'].map((id) => signedIn(server, { id })));
    assert.equal(one.user.user_data.id, '7');
    const heard = [];
    other.user.bind('note', () => heard.push('other'));
    const arrivals = [one, two].map((p) => happens(p.user, 'note'));
    assert.deepEqual(await body(officialPublisher(server).sendToUser('7', 'note', { n: 1 })), {});
    assert.deepEqual(await Promise.all(arrivals), [{ n: 1 }, { n: 1 }]);
    const last = happens(other.user, 'last');
    await officialPublisher(server).sendToUser('8', 'last', 1);
    await last;
    assert.deepEqual(heard, []);
  });

  group('the user channel is subscribed by pusher-js itself after signing in', async (server) => {
    const pusher = await signedIn(server, { id: 'Ümlaut / user' });
    await until('subscribed', () => pusher.user.serverToUserChannel?.subscribed);
    assert.equal(pusher.user.serverToUserChannel.name, '#server-to-user-Ümlaut / user');
  });

  group('terminateUserConnections closes the user everywhere, and pusher-js does not come back', async (server) => {
    const [one, two, other] = await Promise.all(['7', '7', '8'].map((id) => signedIn(server, { id })));
    const errors = [];
    one.connection.bind('error', (e) => errors.push(e.data?.code ?? e.error?.data?.code));
    assert.deepEqual(await body(officialPublisher(server).terminateUserConnections('7')), {});
    await until('both are gone', () => [one, two].every((p) => p.connection.state === 'disconnected'));
    assert.ok(errors.includes(4009), `error codes: ${errors}`);
    assert.equal(other.connection.state, 'connected');
  });

  group('the watchlist facade tells who comes and who goes', async (server) => {
    const watcher = await signedIn(server, { id: 'me', watchlist: ['friend', 'foe'] });
    const events = [];
    for (const name of ['online', 'offline']) watcher.user.watchlist.bind(name, (e) => events.push([name, e.user_ids]));
    const friend = await signedIn(server, { id: 'friend' });
    await until('the friend is online', () => events.some(([name]) => name === 'online'));
    friend.disconnect();
    await until('the friend is offline', () => events.at(-1)[0] === 'offline' && events.at(-1)[1].includes('friend'));
    assert.deepEqual(events.filter(([, ids]) => ids.length === 1 && ids[0] === 'friend'),
      [['online', ['friend']], ['offline', ['friend']]]);
  });

  group('a refused sign-in closes with 4009', async (server) => {
    const pusher = await pusherJs(server, {
      userAuthentication: {
        customHandler: (_, done) => done(null, { auth: `${server.app.key}:${'0'.repeat(64)}`, user_data: '{"id":"7"}' }),
      },
    });
    pusher.signin();
    await until('disconnected', () => pusher.connection.state === 'disconnected');
  });
});

onCores('signing in, in frames', {}, (group) => {
  group('signin_success carries the user_data as it was signed', async (server) => {
    const client = await PlainPusher.open(server);
    const userData = '{"id": "7",  "user_info":{"name":"Ä"}}';
    assert.deepEqual(await client.signin(userData), { event: 'pusher:signin_success', data: { user_data: userData } });
    await client.roundTrip();
    assert.deepEqual(client.inbox.items, []);
  });

  group('what is sent to the user right after signin_success arrives, unsubscribed as it is', async (server) => {
    const api = new Api(server);
    for (let i = 0; i < 10; i++) {
      const client = await PlainPusher.open(server);
      await client.signin({ id: `user-${i}` });
      await api.publish(`#server-to-user-user-${i}`, 'e', 'x');
      assert.deepEqual(await client.event('e'), { event: 'e', channel: `#server-to-user-user-${i}`, data: 'x' });
    }
  });

  group('several sign-ins as the same user at once: each is answered, one membership', async (server) => {
    const client = await PlainPusher.open(server);
    for (let i = 0; i < 5; i++) client.sendSignin({ id: '7' });
    for (let i = 0; i < 5; i++) await client.event('pusher:signin_success');
    await client.signin({ id: '7' });
    await new Api(server).publish('#server-to-user-7', 'e', 'once');
    await client.event('e');
    await client.roundTrip();
    assert.deepEqual(client.inbox.items, []);
  });

  group('another user on the same connection is an error and the first one stays', async (server) => {
    const client = await PlainPusher.open(server);
    await client.signin({ id: '7' });
    client.sendSignin({ id: '8' });
    await client.error(null);
    const api = new Api(server);
    await api.publish('#server-to-user-8', 'e', 'not for 7');
    await api.publish('#server-to-user-7', 'e', 'for 7');
    assert.equal((await client.event('e')).data, 'for 7');
  });

  const bad = {
    'no data': [undefined, undefined], 'no auth': ['{"id":"7"}', ''], 'no JSON': ['id=7'], 'no object': ['["7"]'],
    'no id': ['{}'], 'an empty id': ['{"id":""}'], 'a number as id': ['{"id":7}'], 'a long id': [`{"id":"${'x'.repeat(129)}"}`],
    'a watchlist of numbers': ['{"id":"7","watchlist":[1]}'],
  };
  for (const [what, [userData, auth]] of Object.entries(bad)) {
    group(`${what}: pusher:error and close 4009`, async (server) => {
      const client = await PlainPusher.open(server);
      if (userData === undefined) client.send('pusher:signin');
      else client.sendSignin(userData, auth);
      const error = await client.error(4009);
      const close = await client.closeWithin();
      assert.deepEqual([close.code, close.reason], [4009, error.data.message]);
    });
  }

  group('the user channel by name: for the user alone, once', async (server) => {
    const client = await PlainPusher.open(server);
    const channel = '#server-to-user-7';
    const refused = async (wanted) => {
      client.send('pusher:subscribe', { channel: wanted, auth: '' });
      const refusal = await client.event('pusher:subscription_error', wanted);
      assert.deepEqual([refusal.data.type, refusal.data.status], ['AuthError', 401]);
      await client.error(4009);
    };
    await refused(channel);
    client.sendSignin({ id: '7' });
    client.send('pusher:subscribe', { channel, auth: '' });
    await client.event('pusher:signin_success');
    assert.equal((await client.event('pusher_internal:subscription_succeeded', channel)).data, '{}');
    await refused('#server-to-user-8');
    client.send('pusher:subscribe', { channel });
    assert.equal((await client.error(null)).data.message, `Existing subscription to channel ${channel}`);
    client.send('pusher:unsubscribe', { channel });
    client.send('pusher:unsubscribe', { channel });
    assert.match((await client.error(null)).data.message, /^No current subscription/);
    client.send('client-e', 1, channel);
    await client.error(4301);
    await new Api(server).publish(channel, 'e', 'still');
    await client.event('e');
  });

  group('hidden channels are in no figure and in no limit', async (server) => {
    const client = await PlainPusher.open(server);
    await client.signin({ id: '7', watchlist: ['8', '9'] });
    await client.watchlist();
    assert.equal(await server.metric('spillway_subscriptions'), 0);
    assert.equal(await server.metric('spillway_channels'), 0);
  });

  group('a hidden channel cannot be fed', async (server) => {
    await assert.rejects(FeedReader.open(server, '#server-to-user-7'), { status: 400 });
  });

  group('signing in and leaving at once leaves nothing behind', async (server) => {
    const watcher = await PlainPusher.open(server);
    await watcher.signin({ id: 'w', watchlist: ['fleeting'] });
    assert.deepEqual(await watcher.watchlist(), { online: [], offline: ['fleeting'] });
    for (let i = 0; i < 20; i++) {
      const client = await PlainPusher.open(server);
      client.sendSignin({ id: 'fleeting', watchlist: ['w', 'fleeting'] });
      if (i % 2) client.ws.close();
      else client.ws._socket.end();
    }
    await server.untilClients(1);
    const last = await PlainPusher.open(server);
    await last.signin({ id: 'x', watchlist: ['fleeting'] });
    assert.deepEqual(await last.watchlist(), { online: [], offline: ['fleeting'] });
    await watcher.roundTrip();
    let online = false;
    for (const m of watcher.inbox.items.filter((item) => item.event === 'pusher_internal:watchlist_events')) {
      const [{ name }] = JSON.parse(m.data).events;
      assert.equal(name, online ? 'offline' : 'online');
      online = !online;
    }
    assert.equal(online, false);
  });
});

onCores('presence of who has signed in', {}, (group) => {
  const withoutData = async (client, channel) => {
    client.send('pusher:subscribe', { channel, auth: channelAuth(client.app, client.socketId, channel) });
    const { data } = await client.event('pusher_internal:subscription_succeeded', channel);
    return JSON.parse(data).presence;
  };

  group('the channel is signed without channel_data; user_id and user_info are those of the sign-in', async (server) => {
    const [one, two] = await Promise.all([PlainPusher.open(server), PlainPusher.open(server)]);
    await one.signin('{"id":"7","user_info":{"name": "Ann"}}');
    await two.signin({ id: '8' });
    assert.deepEqual(await withoutData(one, 'presence-x'), { ids: ['7'], hash: { 7: { name: 'Ann' } }, count: 1 });
    assert.deepEqual((await withoutData(two, 'presence-x')).hash, { 7: { name: 'Ann' }, 8: null });
    assert.equal((await one.event('pusher_internal:member_added')).data, '{"user_id":"8","user_info":null}');
    two.send('client-e', 1, 'presence-x');
    assert.equal((await one.event('client-e')).user_id, '8');
    two.ws.close();
    assert.equal((await one.event('pusher_internal:member_removed')).data, '{"user_id":"8"}');
  });

  group('whoever has not signed in is refused, and so is more than a member may weigh', async (server) => {
    const client = await PlainPusher.open(server);
    const subscribe = async (channel) => {
      client.send('pusher:subscribe', { channel, auth: channelAuth(client.app, client.socketId, channel) });
      return (await client.event('pusher:subscription_error', channel)).data;
    };
    assert.deepEqual((({ type, status }) => ({ type, status }))(await subscribe('presence-x')), { type: 'AuthError', status: 401 });
    await client.signin({ id: '7', user_info: 'x'.repeat(1024) });
    assert.equal((await subscribe('presence-x')).type, 'LimitReached');
  });

  group('pusher-js does so when its authorizer gives no channel_data', async (server) => {
    const pusher = await signedIn(server, { id: '7', user_info: { name: 'Ann' } }, {
      channelAuthorization: {
        customHandler: ({ socketId, channelName }, done) => done(null, { auth: channelAuth(server.app, socketId, channelName) }),
      },
    });
    const channel = pusher.subscribe('presence-x');
    const members = await happens(channel, 'pusher:subscription_succeeded');
    assert.deepEqual([members.myID, members.me.info], ['7', { name: 'Ann' }]);
  });
});

onCores('terminate_connections', {}, (group) => {
  group('pusher:error, close 4009, {}; who is not signed in as the user stays', async (server) => {
    const clients = await Promise.all(Array.from({ length: 6 }, () => PlainPusher.open(server)));
    const [stranger, ...signed] = clients;
    for (const client of signed) await client.signin({ id: 'a/b ü' });
    await stranger.signin({ id: 'other' });
    const answer = await new Api(server).terminate('a/b ü');
    assert.deepEqual([answer.status, answer.text, answer.headers['content-type']], [200, '{}', 'application/json']);
    for (const client of signed) {
      await client.error(4009);
      assert.equal((await client.closeWithin()).code, 4009);
    }
    await stranger.roundTrip();
    await server.untilClients(1);
  });

  group('what was sent to the user before arrives before', async (server) => {
    const client = await PlainPusher.open(server);
    await client.signin({ id: '7' });
    const api = new Api(server, { connections: 1 });
    await api.publish('#server-to-user-7', 'goodbye', 'x');
    await client.event('goodbye');
    assert.equal((await api.terminate('7')).status, 200);
    assert.equal((await client.closeWithin()).code, 4009);
    const again = await PlainPusher.open(server);
    await again.signin({ id: '7' });
    await again.roundTrip();
  });

  group('nobody there: {}; wrong requests: their status', async (server) => {
    const api = new Api(server);
    assert.deepEqual([(await api.terminate('nobody')).text], ['{}']);
    const path = `/apps/${server.app.id}/users/7/terminate_connections`;
    assert.equal((await api.request({ method: 'GET', path })).status, 405);
    assert.equal((await api.request({ path, body: '{}', params: { auth_signature: 'x' } })).status, 401);
    assert.equal((await api.terminate('x'.repeat(129))).status, 400);
    assert.equal((await api.request({ path: '/apps/nobody/users/7/terminate_connections', body: '{}' })).status, 404);
    assert.equal((await api.request({ path: `${path}/more`, body: '{}' })).status, 404);
  });
});

onCores('watchlists in frames', {}, (group) => {
  group('one frame of all states, then each change once, with the first and the last connection', async (server) => {
    const friend = await PlainPusher.open(server);
    await friend.signin({ id: 'friend' });
    const watcher = await PlainPusher.open(server);
    await watcher.signin({ id: 'me', watchlist: ['friend', 'foe', 'me'] });
    const first = await watcher.watchlist();
    assert.deepEqual([first.online.sort(), first.offline], [['friend', 'me'], ['foe']]);
    const foes = await Promise.all([PlainPusher.open(server), PlainPusher.open(server)]);
    for (const foe of foes) await foe.signin({ id: 'foe' });
    assert.deepEqual(await watcher.watchlist(), { online: ['foe'], offline: [] });
    foes[0].ws.close();
    await server.untilClients(3);
    await watcher.roundTrip();
    assert.deepEqual(watcher.inbox.items, []);
    foes[1].ws.terminate();
    assert.deepEqual(await watcher.watchlist(), { online: [], offline: ['foe'] });
  });

  group('the frame is exactly as clients read it', async (server) => {
    const watcher = await PlainPusher.open(server);
    await watcher.signin({ id: 'me', watchlist: ['you'] });
    assert.deepEqual(await watcher.event('pusher_internal:watchlist_events'),
      { event: 'pusher_internal:watchlist_events', data: '{"events":[{"name":"offline","user_ids":["you"]}]}' });
  });

  group('of 101 the first 100 are watched, with pusher:error 4302', async (server) => {
    const watcher = await PlainPusher.open(server);
    await watcher.signin({ id: 'me', watchlist: Array.from({ length: 101 }, (_, i) => `u${i}`) });
    await watcher.error(4302);
    assert.equal((await watcher.watchlist()).offline.length, 100);
    const [last, beyond] = await Promise.all([PlainPusher.open(server), PlainPusher.open(server)]);
    await beyond.signin({ id: 'u100' });
    await last.signin({ id: 'u99' });
    assert.deepEqual(await watcher.watchlist(), { online: ['u99'], offline: [] });
  });

  group('many watch one, one watches many', async (server) => {
    const ids = Array.from({ length: 40 }, (_, i) => `u${i}`);
    const all = await Promise.all(ids.map(() => PlainPusher.open(server)));
    await Promise.all(all.map((client, i) => client.signin({ id: ids[i], watchlist: ids })));
    const knows = all.map(() => new Map());
    const listen = async (i) => {
      const { online, offline } = await all[i].watchlist();
      for (const id of online) knows[i].set(id, true);
      for (const id of offline) knows[i].set(id, false);
    };
    await Promise.all(all.map(async (_, i) => {
      while (ids.some((id) => knows[i].get(id) !== true)) await listen(i);
    }));
    all[0].ws.close();
    await Promise.all(all.slice(1).map(async (_, i) => {
      while (knows[i + 1].get('u0') !== false) await listen(i + 1);
    }));
  });
});

const app = { id: 'app-id', key: 'app-key', secret: 'app-secret' };
const toml = (lines) => `[[app]]\nid = "app-id"\nkey = "app-key"\nsecret = "app-secret"\n${lines}\n`;

onCores('an app without watchlists', { app, toml: toml(''), cores: [1] }, (group) => {
  group('a watchlist is not looked at: success, and no events', async (server) => {
    const client = await PlainPusher.open(server);
    await client.signin({ id: 'me', watchlist: Array.from({ length: 101 }, (_, i) => `u${i}`) });
    await client.roundTrip();
    assert.deepEqual(client.inbox.items, []);
  });
});

const strict = { app, toml: toml('require_authorization = true\nauthorization_timeout = "1s"') };
onCores('connections that must be authorised', strict, (group) => {
  group('neither signed in nor on a private channel in time: pusher:error and close 4009', async (server) => {
    const client = await PlainPusher.open(server);
    await client.subscribe('public');
    await client.error(4009);
    assert.equal((await client.closeWithin()).code, 4009);
  });

  group('a feed of such an app is signed, of a public channel too', async (server) => {
    const auth = feedAuth(server.app, 'public');
    await assert.rejects(FeedReader.open(server, 'public'), { status: 401 });
    await assert.rejects(FeedReader.open(server, 'other', { auth }), { status: 401 });
    (await FeedReader.open(server, 'public', { auth })).close();
  });

  group('whoever signs in or joins a private channel stays', async (server) => {
    // Each on its own: on a busy machine the time of one must not pass while another one speaks.
    const opened = async (speak) => {
      const client = await PlainPusher.open(server);
      await speak(client);
      return client;
    };
    const user = await opened((client) => client.signin({ id: '7' }));
    const member = await opened((client) => client.subscribe('private-x'));
    const present = await opened((client) => client.subscribe('presence-x', '{"user_id":"9"}'));
    const idle = await PlainPusher.open(server);
    assert.equal((await idle.closeWithin()).code, 4009);
    const late = await PlainPusher.open(server);
    assert.equal((await late.closeWithin()).code, 4009);  // a whole timeout later
    await Promise.all([user, member, present].map((client) => client.roundTrip()));
  });

  group('a feed has its authorisation in its URL and is left alone', async (server) => {
    const reader = await FeedReader.open(server, 'news', { auth: feedAuth(server.app, 'news') });
    const client = await PlainPusher.open(server);
    assert.equal((await client.closeWithin()).code, 4009);
    await new Api(server).publish('news', 'e', 'x');
    assert.equal(await reader.text(), 'x');
  });
});

const limited = { app, toml: toml('max_channels_per_client = 2\nmax_subscribes_per_second = 5'), cores: [1] };
onCores('limits of one connection', limited, (group) => {
  group('max_channels_per_client admits exactly that many, the hidden channel not counted', async (server) => {
    const client = await PlainPusher.open(server);
    await client.signin({ id: '7' });
    for (const channel of ['a', 'b', 'c']) client.send('pusher:subscribe', { channel });
    await client.event('pusher_internal:subscription_succeeded', 'a');
    await client.event('pusher_internal:subscription_succeeded', 'b');
    assert.equal((await client.event('pusher:subscription_error', 'c')).data.status, 4100);
    client.send('pusher:unsubscribe', { channel: 'a' });
    await client.subscribe('d');
  });

  group('max_subscribes_per_second admits exactly that many at once', async (server) => {
    const client = await PlainPusher.open(server);
    const began = Date.now();
    for (let i = 0; i < 12; i++) {
      client.send('pusher:subscribe', { channel: 'c' });
      client.send('pusher:unsubscribe', { channel: 'c' });
    }
    await client.roundTrip();
    const seconds = (Date.now() - began) / 1000; // in which the rate grants more
    const refused = client.inbox.items.filter((m) => m.event === 'pusher:subscription_error' && m.data.status === 429);
    assert.ok(refused.length >= 6 - seconds * 5 && refused.length <= 7, `${refused.length} refused in ${seconds} s`);
  });
});

onCores('wrong sign-ins', { cores: [1] }, (group) => {
  group('each closes with 4009 and signs nobody in', async (server) => {
    const userData = '{"id":"7"}';
    const other = await PlainPusher.open(server);
    const wrong = {
      'foreign key': (id) => signinAuth({ ...server.app, key: 'other' }, id, userData),
      'foreign secret': (id) => signinAuth({ ...server.app, secret: 'other' }, id, userData),
      'of another socket': () => signinAuth(server.app, other.socketId, userData),
      'of other data': (id) => signinAuth(server.app, id, '{"id":"8"}'),
      'upper case': (id) => signinAuth(server.app, id, userData).replace(/:.*/, (s) => s.toUpperCase()),
      'no colon': (id) => signinAuth(server.app, id, userData).replace(':', ''),
      'cut by one': (id) => signinAuth(server.app, id, userData).slice(0, -1),
    };
    for (const [what, auth] of Object.entries(wrong)) {
      const client = await PlainPusher.open(server);
      client.sendSignin(userData, auth(client.socketId));
      await client.error(4009);
      assert.equal((await client.closeWithin()).code, 4009, what);
    }
    assert.equal(await server.metric('spillway_refused_total', { reason: 'signin' }), Object.keys(wrong).length);
  });
});

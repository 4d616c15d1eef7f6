// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Pusher Channels as its users meet it: pusher-js on one side, the official server library on the other; and, frame by
// frame, what the protocol promises to all the other client libraries.

import assert from 'node:assert/strict';
import PusherServer from 'pusher';
import { Api, channelAuth } from './support/api.mjs';
import { happens, officialPublisher, PlainPusher, pusherJs } from './support/clients.mjs';
import { until } from './support/deadline.mjs';
import { FrameClient, op } from './support/frame_client.mjs';
import { onCores } from './support/server.mjs';

onCores('pusher-js and the official library', {}, (group) => {
  group('a public channel delivers what the library publishes', async (server) => {
    const pusher = await pusherJs(server);
    const channel = pusher.subscribe('news');
    await happens(channel, 'pusher:subscription_succeeded');
    const arrival = happens(channel, 'headline');
    const answer = await officialPublisher(server).trigger('news', 'headline', { title: 'flood', n: 1 });
    assert.equal(answer.status, 200);
    assert.deepEqual(await answer.json(), {});
    assert.deepEqual(await arrival, { title: 'flood', n: 1 });
  });

  group('a private channel asks the authorizer and delivers', async (server) => {
    const pusher = await pusherJs(server);
    const channel = pusher.subscribe('private-orders');
    await happens(channel, 'pusher:subscription_succeeded');
    const arrival = happens(channel, 'made');
    await officialPublisher(server).trigger('private-orders', 'made', 'order 7');
    assert.equal(await arrival, 'order 7');
  });

  group('an encrypted private channel is relayed and decrypted by the client', async (server) => {
    const { id: appId, key, secret } = server.app;
    const publisher = new PusherServer({
      appId, key, secret, host: server.host, port: String(server.port), useTLS: false,
      encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString('base64'),
    });
    const pusher = await pusherJs(server, {
      channelAuthorization: {
        customHandler: ({ socketId, channelName }, done) => done(null, publisher.authorizeChannel(socketId, channelName)),
      },
    });
    const channel = pusher.subscribe('private-encrypted-vault');
    await happens(channel, 'pusher:subscription_succeeded');
    const arrival = happens(channel, 'opened');
    await publisher.trigger('private-encrypted-vault', 'opened', { by: 'me' });
    assert.deepEqual(await arrival, { by: 'me' });
  });

  group('after unsubscribe nothing of the channel arrives', async (server) => {
    const pusher = await pusherJs(server);
    const left = pusher.subscribe('left');
    const kept = pusher.subscribe('kept');
    await Promise.all([left, kept].map((c) => happens(c, 'pusher:subscription_succeeded')));
    const heard = [];
    left.bind_global((event, data) => heard.push([event, data]));
    pusher.unsubscribe('left');
    const publisher = officialPublisher(server);
    await until('the server saw the unsubscription', async () => (await server.metric('spillway_subscriptions')) === 1);
    await publisher.trigger('left', 'e', 1);
    const arrival = happens(kept, 'e');
    await publisher.trigger('kept', 'e', 2);
    assert.equal(await arrival, 2);
    assert.deepEqual(heard, []);
  });

  group('a refused authorisation is a subscription error and the connection stays', async (server) => {
    const pusher = await pusherJs(server, {
      channelAuthorization: {
        customHandler: (_, done) => done(null, { auth: `${server.app.key}:${'0'.repeat(64)}` }),
      },
    });
    const channel = pusher.subscribe('private-orders');
    const error = await happens(channel, 'pusher:subscription_error');
    assert.equal(error.type, 'AuthError');
    assert.equal(error.status, 401);
    assert.equal(pusher.connection.state, 'connected');
    const open = pusher.subscribe('open');
    await happens(open, 'pusher:subscription_succeeded');
  });

  group('an unknown key is refused with 4001 and pusher-js does not come back', async (server) => {
    const pusher = await pusherJs(server, { key: 'no-such-key', connect: false });
    const errors = [];
    pusher.connection.bind('error', (e) => errors.push(e.data?.code ?? e.error?.data?.code));
    await until('pusher-js gave up', () => ['disconnected', 'failed'].includes(pusher.connection.state));
    assert.ok(errors.includes(4001), `error codes: ${errors}`);
  });

  group('the publisher may exclude a socket', async (server) => {
    const [one, two] = await Promise.all([pusherJs(server), pusherJs(server)]);
    const channels = [one, two].map((p) => p.subscribe('room'));
    await Promise.all(channels.map((c) => happens(c, 'pusher:subscription_succeeded')));
    const heard = [[], []];
    channels.forEach((c, i) => c.bind('said', (data) => heard[i].push(data)));
    const publisher = officialPublisher(server);
    await publisher.trigger('room', 'said', 'not for one', { socket_id: one.connection.socket_id });
    await publisher.trigger('room', 'said', 'for both');
    await until('both heard the last', () => heard.every((h) => h.includes('for both')));
    assert.deepEqual(heard, [['for both'], ['not for one', 'for both']]);
  });

  group('a client event reaches the other subscribers and not its sender', async (server) => {
    const [one, two] = await Promise.all([pusherJs(server), pusherJs(server)]);
    const channels = [one, two].map((p) => p.subscribe('private-chat'));
    await Promise.all(channels.map((c) => happens(c, 'pusher:subscription_succeeded')));
    const own = [];
    channels[0].bind('client-typing', (data) => own.push(data));
    const arrival = happens(channels[1], 'client-typing');
    assert.equal(channels[0].trigger('client-typing', { who: 'one' }), true);
    assert.deepEqual(await arrival, { who: 'one' });
    const back = happens(channels[0], 'client-answer');
    channels[1].trigger('client-answer', 'yes');
    assert.equal(await back, 'yes');
    assert.deepEqual(own, []);
  });

  group('a batch of the library reaches each channel', async (server) => {
    const pusher = await pusherJs(server);
    const channels = ['a', 'b'].map((name) => pusher.subscribe(name));
    await Promise.all(channels.map((c) => happens(c, 'pusher:subscription_succeeded')));
    const arrivals = channels.map((c) => happens(c, 'e'));
    const answer = await officialPublisher(server).triggerBatch([
      { channel: 'a', name: 'e', data: { n: 1 } }, { channel: 'b', name: 'e', data: { n: 2 } },
    ]);
    assert.deepEqual(await answer.json(), {});
    assert.deepEqual(await Promise.all(arrivals), [{ n: 1 }, { n: 2 }]);
  });
});

onCores('the Pusher protocol in frames', {}, (group) => {
  group('the greeting names a socket id and the activity timeout', async (server) => {
    const client = await PlainPusher.open(server);
    assert.match(client.socketId, /^\d+\.\d+$/);
    assert.equal(client.hello.activity_timeout, 120);
    const other = await PlainPusher.open(server);
    assert.notEqual(other.socketId, client.socketId);
  });

  for (const query of ['?protocol=5', '?protocol=6&client=x', '', '?protocol=7&flash=false&unknown=%20']) {
    group(`the query "${query}" is served as protocol 7`, async (server) => {
      const client = await PlainPusher.open(server, { query });
      await client.subscribe('c');
    });
  }

  group('the answer to a subscription has the string {} as data', async (server) => {
    const client = await PlainPusher.open(server);
    const answer = await client.subscribe('public');
    assert.deepEqual(answer, { event: 'pusher_internal:subscription_succeeded', channel: 'public', data: '{}' });
  });

  group('a subscription whose data came as a JSON string is understood', async (server) => {
    const client = await PlainPusher.open(server);
    client.send('pusher:subscribe', JSON.stringify({ channel: 'public' }));
    await client.event('pusher_internal:subscription_succeeded', 'public');
  });

  group('an event goes out with exactly the published data string', async (server) => {
    const client = await PlainPusher.open(server);
    await client.subscribe('c');
    const texts = ['', 'plain', '{"a": 1,  "b":"ä\\u0000"}', 'quote " backslash \\ line\n\u2028 emoji \u{1F30A}', ' '];
    const api = new Api(server);
    for (const data of texts) {
      await api.publish('c', 'e', data);
      assert.deepEqual(await client.event('e'), { event: 'e', channel: 'c', data });
    }
    await api.publish('c', 'e', { object: [1, null] });
    assert.deepEqual(JSON.parse((await client.event('e')).data), { object: [1, null] });
  });

  group('pusher:ping is answered with pusher:pong', async (server) => {
    const client = await PlainPusher.open(server);
    client.send('pusher:ping', {});
    const pong = await client.event('pusher:pong');
    assert.ok(pong.data === '{}' || JSON.stringify(pong.data) === '{}', JSON.stringify(pong));
  });

  group('R3 a WebSocket ping is answered with its payload', async (server) => {
    const client = await PlainPusher.open(server);
    const pong = new Promise((resolve) => client.ws.on('pong', (data) => resolve(data.toString())));
    client.ws.ping('are you there');
    assert.equal(await pong, 'are you there');
  });

  group('subscribing twice is an error that names the channel', async (server) => {
    const client = await PlainPusher.open(server);
    await client.subscribe('c');
    client.send('pusher:subscribe', { channel: 'c' });
    const error = await client.error(null);
    assert.equal(error.data.message, 'Existing subscription to channel c');
    await client.roundTrip();
  });

  group('unsubscribing from nothing is an error that names the channel', async (server) => {
    const client = await PlainPusher.open(server);
    client.send('pusher:unsubscribe', { channel: 'c' });
    const error = await client.error(null);
    assert.equal(error.data.message, 'No current subscription to channel c, or subscription in progress');
    await client.roundTrip();
  });

  group('R10 subscribe, unsubscribe and subscribe sent at once leave one subscription', async (server) => {
    const client = await PlainPusher.open(server);
    for (let i = 0; i < 50; i++) {
      client.send('pusher:subscribe', { channel: 'flip' });
      client.send('pusher:unsubscribe', { channel: 'flip' });
    }
    client.send('pusher:subscribe', { channel: 'flip' });
    await client.roundTrip();
    await server.untilMetric('spillway_subscriptions', {}, 1);
    await officialPublisher(server).trigger('flip', 'e', 'once');
    await client.event('e', 'flip');
    await client.roundTrip();
    assert.deepEqual(client.inbox.items.filter((m) => m.event === 'e'), []);
  });

  const badNames = ['', 'with space', 'slash/', 'colon:', 'ümlaut', '#server', 'x'.repeat(201), 'nul\u0000', '*'];
  for (const name of badNames) {
    group(`the channel name ${JSON.stringify(name).slice(0, 20)} is refused`, async (server) => {
      const client = await PlainPusher.open(server);
      client.send('pusher:subscribe', { channel: name });
      await client.inbox.take('pusher:error', (m) => m.event === 'pusher:error');
      await client.roundTrip();
      assert.equal(await server.metric('spillway_subscriptions'), 0);
    });
  }

  group('channel names of 1 and 200 characters and all allowed signs are accepted', async (server) => {
    const client = await PlainPusher.open(server);
    for (const name of ['a', 'x'.repeat(200), 'AZaz09_-=@,.;', 'privateers', 'presence', 'private']) {
      assert.equal((await client.subscribe(name)).channel, name);
    }
  });

  group('a foreign server-to-user channel is refused', async (server) => {
    const client = await PlainPusher.open(server);
    client.send('pusher:subscribe', { channel: '#server-to-user-7', auth: '' });
    await client.inbox.take('pusher:error', (m) => m.event === 'pusher:error');
    await client.roundTrip();
  });

  group('wrong auth strings are refused with 4009 and a subscription error', async (server) => {
    const client = await PlainPusher.open(server);
    const other = await PlainPusher.open(server);
    const right = channelAuth(server.app, client.socketId, 'private-x');
    const [key, signature] = right.split(':');
    const wrong = {
      'absent': undefined, 'empty': '', 'no colon': signature, 'only the key': `${key}:`, 'only a colon': ':',
      'cut by one': right.slice(0, -1), 'one more': `${right}0`, 'upper case': `${key}:${signature.toUpperCase()}`,
      'foreign key': `other:${signature}`, 'of another socket': channelAuth(server.app, other.socketId, 'private-x'),
      'of another channel': channelAuth(server.app, client.socketId, 'private-y'),
      'with channel data': channelAuth(server.app, client.socketId, 'private-x', '{}'),
      'foreign secret': channelAuth({ key, secret: 'wrong' }, client.socketId, 'private-x'),
      'blank before': ` ${right}`, 'not a string': 7, 'null': null, 'long': 'x'.repeat(5000),
    };
    for (const [what, auth] of Object.entries(wrong)) {
      client.send('pusher:subscribe', { channel: 'private-x', auth });
      const refusal = await client.event('pusher:subscription_error', 'private-x').catch((error) => {
        error.message = `auth ${what}: ${error.message}`;
        throw error;
      });
      assert.equal(typeof refusal.data, 'object', `${what}: data is an object`);
      assert.equal(refusal.data.type, 'AuthError', what);
      assert.equal(refusal.data.status, 401, what);
      await client.error(4009);
    }
    assert.equal(await server.metric('spillway_subscriptions'), 0);
    client.send('pusher:subscribe', { channel: 'private-x', auth: right });
    await client.event('pusher_internal:subscription_succeeded', 'private-x');
  });

  group('private channels sign channel_data when it is sent', async (server) => {
    const client = await PlainPusher.open(server);
    const data = '{"any": "thing"}';
    const auth = channelAuth(server.app, client.socketId, 'private-x', data);
    client.send('pusher:subscribe', { channel: 'private-x', auth, channel_data: data });
    await client.event('pusher_internal:subscription_succeeded', 'private-x');
  });

  group('an unknown key gets the error event and close 4001', async (server) => {
    const client = PlainPusher.start(server, { key: 'nobody' });
    const error = await client.error(4001);
    assert.equal(typeof error.data.message, 'string');
    assert.equal((await client.closeWithin()).code, 4001);
    await server.untilClients(0);
  });

  group('malformed messages are answered and harm nobody', async (server) => {
    const innocent = await PlainPusher.open(server);
    await innocent.subscribe('calm');
    const texts = [
      '', ' ', '{', '}', 'null', '7', '"text"', '[]', '[{}]', '{}', '{"event":null}', '{"event":7}', '{"event":""}',
      '{"event":"pusher:subscribe"}', '{"event":"pusher:subscribe","data":null}', '{"event":"pusher:subscribe","data":""}',
      '{"event":"pusher:subscribe","data":[]}', '{"event":"pusher:subscribe","data":{}}',
      '{"event":"pusher:subscribe","data":{"channel":null}}', '{"event":"pusher:subscribe","data":{"channel":{}}}',
      '{"event":"pusher:unsubscribe","data":""}', '{"event":"pusher:unsubscribe"}', '{"event":"pusher:nonsense","data":{}}',
      '{"event":"client-x"}', '{"event":"client-x","channel":7,"data":{}}',
      '{"event":"a","event":"b"}', '{"event":"x","data":1e999999}', '{"event":"x\\u0000y"}', '{"event":"\\ud800"}',
      '['.repeat(20_000), `{"a":${'['.repeat(40)}${']'.repeat(40)}}`, `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`,
      `{"event":"pusher:subscribe","data":{"channel":"x${'y'.repeat(20_000)}"}}`, `{"n":${'9'.repeat(20_000)}}`,
    ];
    const client = await PlainPusher.open(server);
    for (const text of texts) {
      client.sendText(text);
      await client.roundTrip().catch((error) => {
        error.message = `after ${text.slice(0, 60)}: ${error.message}`;
        throw error;
      });
    }
    assert.ok(client.inbox.items.filter((m) => m.event === 'pusher:error').length >= 10, 'errors were answered');
    await officialPublisher(server).trigger('calm', 'e', 'still here');
    await innocent.event('e');
  });

  group('a binary message is refused or ignored, and harms nobody', async (server) => {
    const innocent = await PlainPusher.open(server);
    const client = await PlainPusher.open(server);
    client.ws.send(Buffer.from('{"event":"pusher:ping","data":{}}'));
    await Promise.race([client.closeWithin(), client.inbox.take('an answer')]);
    await innocent.roundTrip();
  });

  group('a message over --max-message closes with 1009', async (server) => {
    const client = await PlainPusher.open(server);
    client.sendText('x'.repeat(32 * 1024 + 1));
    assert.equal((await client.closeWithin()).code, 1009);
  });
});

onCores('client events', {}, (group) => {
  const pair = async (server, channel) => {
    const clients = await Promise.all([PlainPusher.open(server), PlainPusher.open(server)]);
    for (const client of clients) await client.subscribe(channel);
    return clients;
  };

  group('data is relayed as its own bytes: an object stays an object', async (server) => {
    const [sender, receiver] = await pair(server, 'private-x');
    for (const data of [{ a: [1, 2] }, 'text', '{"json":"text"}', 7, null, [], true]) {
      sender.send('client-e', data, 'private-x');
      assert.deepEqual(await receiver.event('client-e'), { event: 'client-e', channel: 'private-x', data });
    }
  });

  group('R13 over ten in a second are answered with 4301 and not relayed', async (server) => {
    const [sender, receiver] = await pair(server, 'private-x');
    const began = Date.now();
    for (let i = 0; i < 30; i++) sender.send('client-e', i, 'private-x');
    await sender.roundTrip();
    const seconds = (Date.now() - began) / 1000; // in which the rate grants more
    const refused = sender.inbox.items.filter((m) => m.event === 'pusher:error' && m.data.code === 4301).length;
    const relayed = () => receiver.inbox.items.filter((m) => m.event === 'client-e').length;
    // The receiver may be on another core, which has them when it has them.
    await until(() => `the others are relayed: ${relayed()}, ${refused} refused`, () => relayed() + refused >= 30);
    await receiver.roundTrip();
    assert.equal(relayed() + refused, 30, `${relayed()} relayed, ${refused} refused`);
    assert.ok(relayed() >= 10 && relayed() <= 11 + seconds * 10, `${relayed()} relayed in ${seconds} s`);
    assert.equal(sender.ws.readyState, sender.ws.OPEN);
  });

  group('on a public channel: 4301, nothing relayed', async (server) => {
    const [sender, receiver] = await pair(server, 'public');
    sender.send('client-e', 1, 'public');
    await sender.error(4301);
    await receiver.roundTrip();
    assert.deepEqual(receiver.inbox.items, []);
  });

  group('without a subscription: an error, nothing relayed', async (server) => {
    const [, receiver] = await pair(server, 'private-x');
    const stranger = await PlainPusher.open(server);
    stranger.send('client-e', 1, 'private-x');
    await stranger.inbox.take('pusher:error', (m) => m.event === 'pusher:error');
    await receiver.roundTrip();
    assert.deepEqual(receiver.inbox.items, []);
  });

  group('larger than max_event_bytes: 4301, nothing relayed', async (server) => {
    const [sender, receiver] = await pair(server, 'private-x');
    sender.send('client-e', 'x'.repeat(10_241), 'private-x');
    await sender.error(4301);
    sender.send('client-e', 'x'.repeat(10_000), 'private-x');
    const relayed = await receiver.event('client-e');
    assert.equal(relayed.data.length, 10_000);
  });

  group('data goes out with its own bytes, white space and escapes included, and nothing of what else was sent', async (server) => {
    const [sender, receiver] = await pair(server, 'private-x');
    const raw = new Promise((resolve) => {  // counts of subscribers may come between
      receiver.ws.on('message', (text) => text.toString().includes('client-e') && resolve(text.toString()));
    });
    sender.sendText('{"event":"client-e","channel":"private-x","data": { "a" : 1.0e0, "\\u00fc":"\\/" } ,"user_id":"forged","x":1}');
    assert.equal(await raw, '{"event":"client-e","channel":"private-x","data":{ "a" : 1.0e0, "\\u00fc":"\\/" }}');
  });

  group('on an encrypted channel: relayed as on private ones', async (server) => {
    const [sender, receiver] = await pair(server, 'private-encrypted-x');
    sender.send('client-e', { nonce: 'n', ciphertext: 'c' }, 'private-encrypted-x');
    assert.deepEqual((await receiver.event('client-e')).data, { nonce: 'n', ciphertext: 'c' });
  });

  group('a name longer than max_event_name: 4301, nothing relayed', async (server) => {
    const [sender, receiver] = await pair(server, 'private-x');
    sender.send(`client-${'e'.repeat(194)}`, 1, 'private-x');
    await sender.error(4301);
    sender.send(`client-${'e'.repeat(193)}`, 2, 'private-x');
    assert.equal((await receiver.inbox.take('event')).data, 2);
  });

  group('what is refused is counted, by a rule or by the rate', async (server) => {
    const counted = (reason) => server.metric('spillway_refused_total', { reason });
    const [rule, rate] = [await counted('client_event'), await counted('client_event_rate')];
    const [sender] = await pair(server, 'private-x');
    sender.send('client-e', 1, 'public');
    sender.send('client-e', 1, 'private-elsewhere');
    const began = Date.now();
    for (let i = 0; i < 40; i++) sender.send('client-e', i, 'private-x');
    await sender.roundTrip();
    const seconds = (Date.now() - began) / 1000;
    const errors = sender.inbox.items.filter((m) => m.event === 'pusher:error');
    assert.equal(await counted('client_event') - rule, 2);
    assert.equal(await counted('client_event_rate') - rate, errors.length - 2);
    assert.ok(errors.length >= 2 + 29 - seconds * 10, `${errors.length} errors in ${seconds} s`);
  });

  group('an event that does not begin with client- is not relayed', async (server) => {
    const [sender, receiver] = await pair(server, 'private-x');
    sender.send('made-up', 1, 'private-x');
    sender.send('pusher:made-up', 1, 'private-x');
    sender.send('pusher_internal:member_added', '{}', 'private-x');
    await sender.roundTrip();
    await receiver.roundTrip();
    assert.deepEqual(receiver.inbox.items, []);
  });
});

const quietApp = { id: '1', key: 'quiet', secret: 'shh' };
onCores('client events of an app that has not enabled them', { app: quietApp, flags: ['--app', '1:quiet:shh'] }, (group) => {
  group('4301, nothing relayed', async (server) => {
    const clients = await Promise.all([PlainPusher.open(server), PlainPusher.open(server)]);
    for (const client of clients) await client.subscribe('private-x');
    clients[0].send('client-e', 1, 'private-x');
    await clients[0].error(4301);
    await clients[1].roundTrip();
    assert.deepEqual(clients[1].inbox.items, []);
  });
});

// Long enough for who answers on a machine that is busy elsewhere.
const fleeting = { flags: ['--ping-interval', '200ms', '--pong-timeout', '2s'] };
onCores('liveness', fleeting, (group) => {
  group('S3 a client that answers pings stays', async (server) => {
    const client = await PlainPusher.open(server);
    let pings = 0;
    client.ws.on('ping', () => pings++);
    await until('three pings came', () => pings >= 3, 15_000);
    await client.roundTrip();
  });

  group('S3 a client that answers nothing is closed with 4201', async (server) => {
    const client = await FrameClient.open(server, `/app/${server.app.key}?protocol=7`);
    let next = await client.frame();
    const seen = [];
    for (; next && next.opcode !== op.close; next = await client.frame()) seen.push(next);
    assert.equal(next?.payload.readUInt16BE(0), 4201);
    assert.ok(seen.some((f) => f.opcode === op.ping), 'a ping came first');
    const error = seen.filter((f) => f.opcode === op.text).map((f) => JSON.parse(f.payload)).at(-1);
    assert.deepEqual([error.event, error.data.code], ['pusher:error', 4201]);
    await server.untilClients(0);
  });
});

const strict = `
[[app]]
id = "app-id"
key = "app-key"
secret = "app-secret"
strict_protocol = true
`;
onCores('strict_protocol', { toml: strict, cores: [1] }, (group) => {
  for (const [query, code] of [['?protocol=3', 4007], ['?protocol=x', 4006], ['', 4008], ['?protocol=99', 4007]]) {
    group(`the query "${query}" is refused with ${code}`, async (server) => {
      const client = PlainPusher.start(server, { query });
      await client.error(code);
      assert.equal((await client.closeWithin()).code, code);
    });
  }
  group('the query "?protocol=5" is served', async (server) => {
    await PlainPusher.open(server, { query: '?protocol=5' });
  });
});

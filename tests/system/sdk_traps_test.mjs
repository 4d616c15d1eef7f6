// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What makes one of the official libraries fail, stumble or fall silent, though another one does not mind: each trap with
// the library's name, played as that library plays it. And what brought other servers down.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Api, channelAuth, hmac, md5 } from './support/api.mjs';
import { PlainPusher } from './support/clients.mjs';
import { deadline } from './support/deadline.mjs';
import { frame, FrameClient, op } from './support/frame_client.mjs';
import { onCores, Server } from './support/server.mjs';
import { WebhookReceiver } from './support/webhook_receiver.mjs';

/** Every message a client got, once it is closed or the test asks. */
function recorded(client) {
  const all = [];
  client.ws.on('message', (text) => all.push(JSON.parse(text)));
  return all;
}

const presence = (id, info) => JSON.stringify({ user_id: id, user_info: info });

onCores('traps of the client libraries', {}, (group) => {
  group('Swift: its subprotocol is echoed, or URLSession ends the connection', async (server) => {
    const target = `/app/${server.app.key}?protocol=7&client=pusher-websocket-swift&version=10.1.5`;
    const client = await FrameClient.open(server, target, { change: { 'Sec-WebSocket-Protocol': 'pusher-channels-protocol-7' } });
    assert.equal(client.answer.headers['sec-websocket-protocol'], 'pusher-channels-protocol-7');
    assert.equal(JSON.parse((await client.message()).payload).event, 'pusher:connection_established');
    client.send(op.text, '{"event":"pusher:subscribe","data":{"channel":"swift"}}');
    assert.deepEqual(JSON.parse((await client.message()).payload),
      { event: 'pusher_internal:subscription_succeeded', channel: 'swift', data: '{}' });
  });

  group('Swift: no message is without data, or its delegate is never called', async (server) => {
    const [one, two] = await Promise.all([PlainPusher.open(server), PlainPusher.open(server)]);
    const all = recorded(one);
    for (const channel of ['a', 'private-a', 'private-encrypted-a', 'cache-a']) await one.subscribe(channel);
    await one.subscribe('presence-a', presence('1'));
    await two.subscribe('presence-a', presence('2'));
    await two.subscribe('private-a');
    two.sendText('{"event":"client-without-data","channel":"private-a"}');
    two.send('pusher:unsubscribe', { channel: 'presence-a' });
    one.send('pusher:subscribe', { channel: 'private-refused' });
    one.sendText('nonsense');
    await new Api(server).publish('a', 'e', '');
    await one.event('client-without-data');
    await one.event('pusher_internal:member_removed');
    await one.event('e');
    await one.roundTrip();
    assert.ok(all.length >= 12, `${all.length} messages`);
    for (const message of all) assert.ok('data' in message, JSON.stringify(message));
  });

  group('Java: the data of a cache miss is the string {}, or an encrypted channel tries to decrypt it', async (server) => {
    const client = await PlainPusher.open(server, { query: '?client=java-client&protocol=5&version=2.4.4' });
    for (const channel of ['cache-java', 'private-encrypted-cache-java']) {
      await client.subscribe(channel);
      assert.deepEqual(await client.event('pusher:cache_miss', channel), { event: 'pusher:cache_miss', channel, data: '{}' });
    }
  });

  group('Java: client events have a string as data, which stays one', async (server) => {
    const [one, two] = await Promise.all([5, 7].map((n) => PlainPusher.open(server, { query: `?protocol=${n}` })));
    for (const client of [one, two]) await client.subscribe('private-java');
    one.sendText('{"event":"client-e","channel":"private-java","data":"{\\"a\\": \\"\\\\u00fc\\"}"}');
    assert.equal((await two.event('client-e')).data, '{"a": "\\u00fc"}');
  });

  group('Java and .NET: protocol=5 gets the error as an event before the close', async (server) => {
    for (const client of ['java-client&protocol=5&version=2.4.4', 'pusher-dotnet-client&protocol=5&version=2.3.0']) {
      const refused = PlainPusher.start(server, { key: 'nobody', query: `?client=${client}` });
      await refused.error(4001);
      assert.equal((await refused.closeWithin()).code, 4001);
    }
  });

  group('.NET: the data of an error is an object with a message and a number or null as code', async (server) => {
    const client = await PlainPusher.open(server);
    const all = recorded(client);
    client.send('pusher:subscribe', { channel: 'private-x' });
    client.send('pusher:subscribe', { channel: 'not a name' });
    client.send('pusher:unsubscribe', { channel: 'none' });
    client.send('client-e', {}, 'none');
    client.send('client-e', {}, 'private-none');
    client.send('pusher:subscribe', { channel: 'presence-x', auth: channelAuth(server.app, client.socketId, 'presence-x') });
    for (const text of ['', '[]', '{}', '{"event":"pusher:subscribe"}']) client.sendText(text);
    await client.roundTrip();
    const errors = all.filter((m) => m.event === 'pusher:error');
    assert.ok(errors.length >= 10, `${errors.length} errors`);
    for (const { data } of errors) {
      assert.equal(typeof data, 'object', JSON.stringify(data));
      assert.equal(typeof data.message, 'string');
      assert.ok(data.code === null || Number.isInteger(data.code));
    }
  });

  group('.NET and Go: a user_id is a string wherever it stands, though the backend signed a number', async (server) => {
    const [one, two] = await Promise.all([PlainPusher.open(server), PlainPusher.open(server)]);
    await one.subscribe('presence-net', presence(1, { name: 'One' }));
    const { presence: roster } = JSON.parse((await two.subscribe('presence-net', presence(12345678901234, {}))).data);
    assert.deepEqual(roster.ids, ['1', '12345678901234']);
    assert.deepEqual(Object.keys(roster.hash), roster.ids);
    assert.equal(JSON.parse((await one.event('pusher_internal:member_added')).data).user_id, '12345678901234');
    two.send('client-e', {}, 'presence-net');
    assert.equal((await one.event('client-e')).user_id, '12345678901234');
    two.close();
    assert.equal(JSON.parse((await one.event('pusher_internal:member_removed')).data).user_id, '12345678901234');
  });

  group('pusher-js: a public channel comes with an empty auth', async (server) => {
    const client = await PlainPusher.open(server);
    client.sendText('{"event":"pusher:subscribe","data":{"auth":"","channel":"js"}}');
    await client.event('pusher_internal:subscription_succeeded', 'js');
  });

  group('data of a subscription may be a JSON string', async (server) => {
    const client = await PlainPusher.open(server);
    const auth = channelAuth(server.app, client.socketId, 'presence-text', presence('1'));
    client.send('pusher:subscribe', JSON.stringify({ channel: 'presence-text', auth, channel_data: presence('1') }));
    await client.event('pusher_internal:subscription_succeeded', 'presence-text');
    client.send('pusher:unsubscribe', JSON.stringify({ channel: 'presence-text' }));
    await server.untilMetric('spillway_subscriptions', {}, 0);
  });

  group('data that is empty, missing or of any other kind took a server down (Reverb 237)', async (server) => {
    const innocent = await PlainPusher.open(server);
    await innocent.subscribe('calm');
    const client = await PlainPusher.open(server);
    const kinds = ['""', 'null', '[]', '0', 'true', '"{"', '"[]"', '{"channel":[]}', '{"channel":{}}', undefined];
    for (const event of ['pusher:subscribe', 'pusher:unsubscribe', 'pusher:ping', 'pusher:pong', 'client-e']) {
      for (const data of kinds) client.sendText(`{"event":"${event}"${data === undefined ? '' : `,"data":${data}`}}`);
    }
    await client.roundTrip();
    await new Api(server).publish('calm', 'e', 'still here');
    await innocent.event('e');
  });

  group('prefixes count with their dash: names that only look like private, presence or cache are public', async (server) => {
    const client = await PlainPusher.open(server);
    for (const channel of ['privateers', 'presence', 'presencex', 'private', 'cached-x', 'cache']) {
      assert.equal((await client.subscribe(channel)).data, '{}');
    }
    await client.roundTrip();
    assert.deepEqual(client.inbox.items, [], 'no cache miss');
  });

  group('any inbound frame is a sign of life, and a message may come in fragments', async (server) => {
    const client = await FrameClient.open(server, `/app/${server.app.key}?protocol=7`);
    await client.message();
    const text = Buffer.from('{"event":"pusher:subscribe","data":{"channel":"fragmented"}}');
    client.raw.write(Buffer.concat([
      frame(op.text, text.subarray(0, 9), { fin: false }), frame(op.ping, 'between'),
      frame(op.continuation, text.subarray(9, 30), { fin: false }), frame(op.continuation, text.subarray(30)),
    ]));
    const pong = await client.frame();
    assert.deepEqual([pong.opcode, pong.payload.toString()], [op.pong, 'between']);
    assert.match((await client.message()).payload.toString(), /subscription_succeeded/);
  });
});

onCores('traps of the server libraries', {}, (group) => {
  group('Go: publishing is answered with {}, a batch with info by an array', async (server) => {
    const api = new Api(server);
    assert.equal((await api.events({ name: 'e', channel: 'go', data: 'd' })).text, '{}');
    assert.equal((await api.batch([{ name: 'e', channel: 'go', data: 'd' }])).text, '{}');
    const { text } = await api.batch([
      { name: 'e', channel: 'go', data: 'd', info: 'subscription_count' }, { name: 'e', channel: 'go', data: 'd' },
    ]);
    assert.equal(text, '{"batch":[{"subscription_count":0},{}]}');
  });

  group('Python: data is a string that is JSON, escapes kept as they came', async (server) => {
    const client = await PlainPusher.open(server);
    await client.subscribe('python');
    const body = '{"name": "e", "channels": ["python"], "data": "{\\"name\\": \\"\\\\u00fcber\\"}"}';
    assert.equal((await new Api(server).events(body)).status, 200);
    assert.equal((await client.event('e')).data, '{"name": "\\u00fcber"}');
  });

  group('Ruby and PHP: keys of the query in another order or upper case, values escaped, are signed as what they mean', async (server) => {
    const body = '{"name":"e","channel":"php","data":"d"}';
    const path = `/apps/${server.app.id}/events`;
    const time = Math.floor(Date.now() / 1000);
    const signed = [`auth_key=${server.app.key}`, `auth_timestamp=${time}`, 'auth_version=1.0', `body_md5=${md5(body)}`,
                    'note=a b,c&d'].join('&');
    const signature = hmac(server.app.secret, ['POST', path, signed].join('\n'));
    const sent = [`auth_signature=${signature}`, 'NOTE=a%20b%2Cc%26d', `body_md5=${md5(body)}`, 'auth_version=1%2E0',
                  `auth_timestamp=${time}`, `auth_key=${server.app.key}`].join('&');
    const answer = await new Api(server).request({ path, body, query: sent });
    assert.deepEqual([answer.status, answer.text], [200, '{}']);
  });

  group('PHP: an array in the query is signed as its values with commas between', async (server) => {
    const body = '{"name":"e","channel":"php","data":"d"}';
    const path = `/apps/${server.app.id}/events`;
    const fixed = [`auth_key=${server.app.key}`, `auth_timestamp=${Math.floor(Date.now() / 1000)}`, 'auth_version=1.0',
                   `body_md5=${md5(body)}`];
    const signature = hmac(server.app.secret, ['POST', path, [...fixed, 'list=a,b'].join('&')].join('\n'));
    const query = [...fixed, 'list=a,b', `auth_signature=${signature}`].join('&');
    assert.equal((await new Api(server).request({ path, body, query })).status, 200);
  });
});

describe('traps of webhook receivers', () => {
  const app = { id: 'shop', key: 'shop-key', secret: 'shop-secret' };
  for (const cores of [1, 2]) {
    it(`Go wants strings for data and user_id, Node the exact type, Python a time_ms of now (--cores ${cores})`, { timeout: deadline(20_000) }, async () => {
      const receiver = await WebhookReceiver.start({ app });
      const server = await Server.start({ app, cores, toml: `
[[app]]
id = "${app.id}"
key = "${app.key}"
secret = "${app.secret}"
client_events = true
[[app.webhook]]
url = "${receiver.url}/"
allow_private_network = true
` });
      try {
        const [one, two] = await Promise.all([PlainPusher.open(server), PlainPusher.open(server)]);
        await one.subscribe('presence-hooks', presence(7, {}));
        assert.deepEqual(await receiver.event('member_added'), { name: 'member_added', channel: 'presence-hooks', user_id: '7' });
        await two.subscribe('presence-hooks', presence(8, {}));
        one.sendText('{"event":"client-e","channel":"presence-hooks","data":{"a": [1]}}');
        assert.deepEqual(await receiver.event('client_event'), {
          name: 'client_event', channel: 'presence-hooks', event: 'client-e', data: '{"a": [1]}', socket_id: one.socketId, user_id: '7',
        });
        one.send('pusher:unsubscribe', { channel: 'presence-hooks' });
        assert.equal((await receiver.event('member_removed')).user_id, '7');
        await two.subscribe('cache-hooks');
        assert.deepEqual(await receiver.event('cache_miss'), { name: 'cache_miss', channel: 'cache-hooks' });
        for (const request of receiver.requests) {
          assert.equal(request.headers['content-type'], 'application/json');
          assert.ok(Math.abs(JSON.parse(request.rawBody).time_ms - request.at) < 300_000);
        }
        await server.stop();
      } catch (error) {
        error.message += server.story();
        throw error;
      } finally {
        server.kill();
        receiver.close();
      }
    });
  }
});

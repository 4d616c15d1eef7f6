// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The HTTP API: what a backend may send, and what it is told when it gets it wrong.

import assert from 'node:assert/strict';
import { Api, hmac, md5, signedQuery, signedTarget } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { until } from './support/deadline.mjs';
import { head, RawSocket } from './support/raw_socket.mjs';
import { onCores } from './support/server.mjs';

const now = () => Math.floor(Date.now() / 1000);
const event = { name: 'e', channel: 'c', data: 'd' };

/** A signed request as bytes. */
function rawPost(server, body, { path = `/apps/${server.app.id}/events`, headers = [], query } = {}) {
  const target = query === undefined ? signedTarget(server.app, { method: 'POST', path, body }) : `${path}?${query}`;
  const length = Buffer.byteLength(body);
  return head(`POST ${target} HTTP/1.1`, 'Host: x', 'Content-Type: application/json', `Content-Length: ${length}`, ...headers) + body;
}

onCores('publishing over HTTP', {}, (group) => {
  group('an event is answered with {} as JSON', async (server) => {
    const answer = await new Api(server).events(event);
    assert.equal(answer.status, 200);
    assert.equal(answer.text, '{}');
    assert.match(answer.headers['content-type'], /^application\/json/);
    assert.equal(answer.headers['content-length'], '2');
  });

  group('a batch is answered with {}', async (server) => {
    const answer = await new Api(server).batch([event, { ...event, channel: 'd' }]);
    assert.deepEqual([answer.status, answer.text], [200, '{}']);
  });

  group('R5 publishing to nobody succeeds', async (server) => {
    const api = new Api(server);
    for (let i = 0; i < 20; i++) await api.publish(`nobody-${i}`, 'e', 'x');
    assert.equal(await server.clients(), 0);
  });

  group('several channels each get it, one named twice gets it once', async (server) => {
    const readers = await Promise.all(['a', 'b'].map((c) => FeedReader.open(server, c)));
    const api = new Api(server);
    const answer = await api.events({ name: 'e', channels: ['a', 'b', 'a', 'a'], data: 'once' });
    assert.deepEqual([answer.status, answer.text], [200, '{}']);
    await api.events({ name: 'e', channels: ['a', 'b'], data: 'end' });
    for (const reader of readers) {
      assert.equal(await reader.text(), 'once');
      assert.equal(await reader.text(), 'end');
    }
  });

  group('a batch with one bad event publishes nothing', async (server) => {
    const reader = await FeedReader.open(server, 'c');
    const api = new Api(server);
    const bad = [{ ...event, channel: 'bad name' }, { ...event, name: undefined }, 7, null, { ...event, data: 'x'.repeat(10_241) }];
    for (const one of bad) {
      const answer = await api.batch([event, event, one]);
      assert.ok([400, 413].includes(answer.status), `${answer.status} for ${JSON.stringify(one).slice(0, 60)}`);
    }
    await api.publish('c', 'e', 'only this');
    assert.equal(await reader.text(), 'only this');
  });

  group('socket_id excludes that socket, null counts as absent, an unknown one is ignored', async (server) => {
    const clients = await Promise.all([PlainPusher.open(server), PlainPusher.open(server), PlainPusher.open(server)]);
    for (const client of clients) await client.subscribe('c');
    const api = new Api(server);
    await api.publish('c', 'e', '1', { socket_id: clients[0].socketId });
    await api.publish('c', 'e', '2', { socket_id: null });
    await api.publish('c', 'e', '3', { socket_id: '1.1' });
    const heard = [];
    for (const client of clients) {
      await client.inbox.take('the last', (m) => m.data === '3');
      heard.push(client.inbox.items.filter((m) => m.event === 'e').map((m) => m.data));
    }
    assert.deepEqual(heard, [['2'], ['1', '2'], ['1', '2']]);
  });

  group('a batch excludes per event', async (server) => {
    const client = await PlainPusher.open(server);
    await client.subscribe('c');
    await new Api(server).batch([{ ...event, data: '1', socket_id: client.socketId }, { ...event, data: '2' }]);
    assert.equal((await client.event('e')).data, '2');
  });

  group('parameters with other signed query keys are allowed', async (server) => {
    const path = `/apps/${server.app.id}/events`;
    const body = JSON.stringify(event);
    const answer = await new Api(server).request({ path, body, params: { zebra: '1', alpha: 'two' } });
    assert.equal(answer.status, 200, answer.text);
  });

  group('limits: exactly at each limit passes', async (server) => {
    const api = new Api(server);
    const atLimit = [
      { ...event, data: 'x'.repeat(10_240) }, { ...event, name: 'n'.repeat(200) }, { ...event, channel: 'c'.repeat(200) },
      { name: 'e', data: 'd', channels: Array.from({ length: 100 }, (_, i) => `c${i}`) },
    ];
    for (const one of atLimit) assert.equal((await api.events(one)).status, 200, JSON.stringify(one).slice(0, 80));
    assert.equal((await api.batch(Array(10).fill(event))).status, 200);
  });

  group('bad events are refused with 400 and a reason', async (server) => {
    const api = new Api(server);
    const bad = {
      'not JSON': '{', 'empty object': {}, 'array': [], 'text': '"x"', 'null': 'null', 'trailing text': `${JSON.stringify(event)}x`,
      'no name': { channel: 'c', data: 'd' }, 'no data': { name: 'e', channel: 'c' }, 'no channel': { name: 'e', data: 'd' },
      'empty channels': { name: 'e', data: 'd', channels: [] }, 'channels no list': { name: 'e', data: 'd', channels: 'c' },
      'channel no text': { ...event, channel: 7 }, 'name no text': { ...event, name: 7 }, 'name empty': { ...event, name: '' },
      'name too long': { ...event, name: 'n'.repeat(201) }, 'channel too long': { ...event, channel: 'c'.repeat(201) },
      'channel empty': { ...event, channel: '' }, 'channel with blank': { ...event, channel: 'a b' },
      'one of two bad': { name: 'e', data: 'd', channels: ['ok', 'n/ok'] },
      'too many channels': { name: 'e', data: 'd', channels: Array.from({ length: 101 }, (_, i) => `c${i}`) },
      'socket id': { ...event, socket_id: 'abc' }, 'socket id half': { ...event, socket_id: '1.' },
      'socket id number': { ...event, socket_id: 1.5 }, 'too deep': `{"a":${'['.repeat(100)}${']'.repeat(100)}}`,
      'bomb': '['.repeat(100_000), 'bad UTF-8 escape': '{"name":"e","channel":"c","data":"\\ud800"}',
      'unknown priority': { ...event, priority: 'immense' },
    };
    for (const [what, body] of Object.entries(bad)) {
      const answer = await api.events(body);
      assert.equal(answer.status, 400, `${what}: ${answer.status} ${answer.text}`);
      assert.notEqual(answer.text.trim(), '', `${what}: the body explains`);
    }
  });

  group('bad batches are refused with 400', async (server) => {
    const api = new Api(server);
    const bad = {
      'empty': [], 'eleven': Array(11).fill(event), 'not a list': JSON.stringify({ batch: {} }), 'no batch': '{}',
      'two channels': [{ name: 'e', data: 'd', channels: ['a', 'b c'] }], 'not JSON': '{"batch":[',
    };
    for (const [what, body] of Object.entries(bad)) {
      const answer = await api.batch(body);
      assert.equal(answer.status, 400, `${what}: ${answer.status} ${answer.text}`);
    }
  });

  group('invalid UTF-8 in the body is 400', async (server) => {
    const raw = await RawSocket.connect(server);
    const body = Buffer.from('{"name":"e","channel":"c","data":"\xff\xfe"}', 'latin1');
    const path = `/apps/${server.app.id}/events`;
    const query = signedQuery(server.app, { method: 'POST', path, body });
    raw.write(head(`POST ${path}?${query} HTTP/1.1`, 'Host: x', 'Content-Type: application/json', `Content-Length: ${body.length}`));
    raw.write(body);
    assert.equal((await raw.response()).status, 400);
  });

  group('413: data over max_event_bytes, and a body over --max-http-body', async (server) => {
    const api = new Api(server);
    const answer = await api.events({ ...event, data: 'x'.repeat(10_241) });
    assert.equal(answer.status, 413, answer.text);
    const raw = await RawSocket.connect(server);
    raw.write(head(`POST /apps/${server.app.id}/events HTTP/1.1`, 'Host: x', 'Content-Type: application/json', `Content-Length: ${1024 * 1024 + 1}`));
    assert.equal((await raw.response()).status, 413);
    const chunked = await RawSocket.connect(server);
    chunked.write(head(`POST /apps/${server.app.id}/events HTTP/1.1`, 'Host: x', 'Content-Type: application/json', 'Transfer-Encoding: chunked'));
    const piece = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    for (let i = 0; i < 17; i++) chunked.write(piece);
    assert.equal((await chunked.response()).status, 413);
  });

  group('415: a form body', async (server) => {
    const api = new Api(server);
    for (const type of ['application/x-www-form-urlencoded', 'Application/X-WWW-Form-Urlencoded; charset=utf-8',
      'multipart/form-data; boundary=x', 'MULTIPART/Form-Data; boundary=x']) {
      const answer = await api.events('name=e&channel=c&data=d', { headers: { 'content-type': type } });
      assert.equal(answer.status, 415, `${type}: ${answer.text}`);
    }
  });

  group('404: unknown app and unknown path; 405 or 404: wrong method', async (server) => {
    const api = new Api(server);
    const body = JSON.stringify(event);
    assert.equal((await api.request({ path: '/apps/nobody/events', body })).status, 404);
    assert.equal((await api.request({ path: `/apps/${server.app.id}/nothing`, body })).status, 404);
    assert.equal((await api.request({ path: '/', method: 'GET' })).status, 404);
    const wrong = await api.request({ path: `/apps/${server.app.id}/events`, method: 'DELETE' });
    assert.ok([404, 405].includes(wrong.status), String(wrong.status));
  });
});

onCores('signatures of the HTTP API', {
  app: { id: '1', key: 'k1', secret: 's1' }, flags: ['--app', '1:k1:s1', '--app', '2:k2:s2'],
}, (group) => {
  group('401: each wrong signature is refused with a reason and publishes nothing', async (server) => {
    const reader = await FeedReader.open(server, 'c');
    const api = new Api(server);
    const wrong = {
      'no key': { auth_key: undefined }, 'no timestamp': { auth_timestamp: undefined }, 'no version': { auth_version: undefined },
      'no signature': { auth_signature: undefined }, 'empty signature': { auth_signature: '' },
      'no body_md5': { body_md5: undefined }, 'wrong body_md5': { body_md5: md5('other') },
      'empty body_md5': { body_md5: '' }, 'foreign key': { auth_key: 'k2' }, 'unknown key': { auth_key: 'nobody' },
      'wrong version': { auth_version: '2.0' }, 'cut signature': { auth_signature: (s) => s.slice(0, -1) },
      'longer signature': { auth_signature: (s) => `${s}0` }, 'upper case': { auth_signature: (s) => s.toUpperCase() },
      'one digit off': { auth_signature: (s) => (s[0] === '0' ? '1' : '0') + s.slice(1) },
      'of another secret': { auth_signature: hmac('s2', 'x') }, 'timestamp empty': { auth_timestamp: '' },
      'timestamp 601 s old': { auth_timestamp: now() - 601 }, 'timestamp 605 s ahead': { auth_timestamp: now() + 605 },
      'timestamp negative': { auth_timestamp: -1 }, 'timestamp of 20 digits': { auth_timestamp: '9'.repeat(20) },
      'timestamp hex': { auth_timestamp: `0x${now().toString(16)}` }, 'timestamp with text': { auth_timestamp: `${now()}s` },
    };
    for (const [what, params] of Object.entries(wrong)) {
      const answer = await api.events(event, { params });
      assert.equal(answer.status, 401, `${what}: ${answer.status} ${answer.text}`);
      assert.notEqual(answer.text.trim(), '', `${what}: the body explains`);
    }
    await api.publish('c', 'e', 'only this');
    assert.equal(await reader.text(), 'only this');
  });

  group('a timestamp 595 s off in either direction is accepted', async (server) => {
    const api = new Api(server);
    for (const skew of [-595, 595]) {
      const answer = await api.events(event, { params: { auth_timestamp: now() + skew } });
      assert.equal(answer.status, 200, answer.text);
    }
  });

  group('the signature covers method, path and body', async (server) => {
    const api = new Api(server);
    const body = JSON.stringify(event);
    const path = `/apps/1/events`;
    const request = { method: 'POST', path, body };
    const variants = {
      'method': signedQuery(server.app, { ...request, method: 'GET' }),
      'path': signedQuery(server.app, { ...request, path: '/apps/1/batch_events' }),
      'body': signedQuery(server.app, { ...request, body: `${body} ` }),
      'app': signedQuery({ id: '2', key: 'k2', secret: 's2' }, request),
      'no query at all': '',
    };
    for (const [what, query] of Object.entries(variants)) {
      const answer = await api.request({ path, body, query: query === '' ? 'x=1' : query });
      assert.equal(answer.status, 401, `${what}: ${answer.status} ${answer.text}`);
    }
  });

  group('a parameter given twice is refused', async (server) => {
    const body = JSON.stringify(event);
    const query = signedQuery(server.app, { method: 'POST', path: '/apps/1/events', body });
    const answer = await new Api(server).request({ path: '/apps/1/events', body, query: `${query}&auth_key=k1` });
    assert.ok([400, 401].includes(answer.status), String(answer.status));
  });

  group('two apps do not hear each other', async (server) => {
    const second = { id: '2', key: 'k2', secret: 's2' };
    const readers = [await FeedReader.open(server, 'c'), await FeedReader.open(server, 'c', { key: 'k2' })];
    await new Api(server).publish('c', 'e', 'one');
    await new Api(server, { app: second }).publish('c', 'e', 'two');
    assert.equal(await readers[0].text(), 'one');
    assert.equal(await readers[1].text(), 'two');
  });

  group('unknown apps are 404 even unsigned', async (server) => {
    const answer = await new Api(server).request({ path: '/apps/3/events', body: '{}', query: 'a=b' });
    assert.equal(answer.status, 404);
  });
});

onCores('the HTTP connection', {}, (group) => {
  group('keep-alive: a hundred requests over one socket', async (server) => {
    const api = new Api(server, { connections: 1 });
    const ports = new Set();
    for (let i = 0; i < 100; i++) {
      const answer = await api.events(event);
      assert.equal(answer.status, 200);
      assert.notEqual(answer.headers.connection, 'close');
      ports.add(answer.socketPort);
    }
    assert.equal(ports.size, 1);
  });

  group('keep-alive survives refused requests', async (server) => {
    const api = new Api(server, { connections: 1 });
    const ports = new Set();
    for (const params of [{}, { auth_signature: 'no' }, {}]) ports.add((await api.events(event, { params })).socketPort);
    for (const body of ['{', '{}', JSON.stringify(event)]) ports.add((await api.events(body)).socketPort);
    assert.equal(ports.size, 1);
  });

  group('pipelining: fifty requests at once are answered and published in order', async (server) => {
    const reader = await FeedReader.open(server, 'c');
    const raw = await RawSocket.connect(server);
    const requests = Array.from({ length: 50 }, (_, i) =>
      rawPost(server, i % 10 === 7 ? '{' : JSON.stringify({ ...event, data: String(i) })));
    raw.write(requests.join(''));
    for (let i = 0; i < 50; i++) {
      const answer = await raw.response();
      assert.equal(answer.status, i % 10 === 7 ? 400 : 200, `answer ${i}: ${answer.body}`);
    }
    for (let i = 0; i < 50; i++) if (i % 10 !== 7) assert.equal(await reader.text(), String(i));
  });

  group('a request in single bytes is understood', async (server) => {
    const raw = await RawSocket.connect(server);
    for (const byte of Buffer.from(rawPost(server, JSON.stringify(event)))) await raw.flush(Buffer.from([byte]));
    assert.equal((await raw.response()).status, 200);
  });

  group('a chunked body is understood', async (server) => {
    const reader = await FeedReader.open(server, 'c');
    const body = JSON.stringify({ ...event, data: 'in chunks' });
    const target = signedTarget(server.app, { method: 'POST', path: `/apps/${server.app.id}/events`, body });
    const raw = await RawSocket.connect(server);
    raw.write(head(`POST ${target} HTTP/1.1`, 'Host: x', 'Content-Type: application/json', 'Transfer-Encoding: chunked'));
    for (let i = 0; i < body.length; i += 5) {
      const piece = body.slice(i, i + 5);
      await raw.flush(`${piece.length.toString(16)};ext=1\r\n${piece}\r\n`);
    }
    raw.write('0\r\nTrailer: x\r\n\r\n');
    assert.equal((await raw.response()).status, 200);
    assert.equal(await reader.text(), 'in chunks');
    raw.write(rawPost(server, JSON.stringify(event)));
    assert.equal((await raw.response()).status, 200, 'the connection goes on');
  });

  group('Expect: 100-continue is answered before the body', async (server) => {
    const body = JSON.stringify(event);
    const request = rawPost(server, body, { headers: ['Expect: 100-continue'] });
    const raw = await RawSocket.connect(server);
    raw.write(request.slice(0, -body.length));
    assert.equal((await raw.response()).status, 100);
    raw.write(body);
    assert.equal((await raw.response()).status, 200);
  });

  group('an expectation it does not know is 417', async (server) => {
    const raw = await RawSocket.connect(server);
    raw.write(rawPost(server, '{}', { headers: ['Expect: miracles'] }));
    assert.equal((await raw.response()).status, 417);
  });

  group('HEAD is answered without a body and the connection goes on', async (server) => {
    const raw = await RawSocket.connect(server);
    raw.write(head('HEAD /nothing/here HTTP/1.1', 'Host: x'));
    assert.equal((await raw.response({ method: 'HEAD' })).status, 404);
    raw.write(rawPost(server, JSON.stringify(event)));
    assert.equal((await raw.response()).status, 200);
  });

  group('Connection: close and HTTP/1.0 end the connection after the answer', async (server) => {
    const raw = await RawSocket.connect(server);
    raw.write(rawPost(server, JSON.stringify(event), { headers: ['Connection: close'] }));
    const answer = await raw.response();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.connection?.toLowerCase(), 'close');
    await raw.closed();
    const old = await RawSocket.connect(server);
    old.write(rawPost(server, JSON.stringify(event)).replace('HTTP/1.1', 'HTTP/1.0'));
    assert.equal((await old.response())?.status, 200);
    await old.closed();
  });

  group('a connection that ends inside a request leaves nothing behind', async (server) => {
    const before = server.descriptors();
    const request = rawPost(server, JSON.stringify(event));
    for (let cut = 1; cut < request.length; cut += 7) {
      const raw = await RawSocket.connect(server);
      await raw.flush(request.slice(0, cut));
      if (cut % 2) raw.reset();
      else raw.close();
    }
    await until('the descriptors are back', () => server.descriptors() <= before);
  });

  group('a Unicode body is measured in bytes', async (server) => {
    const reader = await FeedReader.open(server, 'c');
    const text = 'ä€\u{1F30A}'.repeat(300);
    await new Api(server).publish('c', 'e', text);
    assert.equal(await reader.text(), text);
  });
});

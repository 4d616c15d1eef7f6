// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The opening handshake and the request head by hand: RFC 6455 section 4, and everything that must not pass on a port
// shared by an API and WebSockets (request smuggling, header bombs, half-open connections).

import assert from 'node:assert/strict';
import { deadline, until } from './support/deadline.mjs';
import { acceptFor, FrameClient, sampleKey, upgradeHead } from './support/frame_client.mjs';
import { head, RawSocket } from './support/raw_socket.mjs';
import { onCores } from './support/server.mjs';

const target = '/app/app-key?protocol=7';

/** Sends bytes; the answer, or null when the server closed without one. */
async function answerTo(server, bytes) {
  const raw = await RawSocket.connect(server);
  raw.write(bytes);
  const answer = await raw.response();
  raw.close();
  return answer;
}

onCores('opening handshake', {}, (group) => {
  group('is accepted with the key of RFC 6455 section 1.3', async (server) => {
    const answer = await answerTo(server, upgradeHead(target));
    assert.equal(answer.status, 101);
    assert.equal(answer.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    assert.equal(answer.headers.upgrade.toLowerCase(), 'websocket');
    assert.equal(answer.headers.connection.toLowerCase(), 'upgrade');
    assert.equal(answer.headers['sec-websocket-protocol'], undefined);
    assert.equal(answer.headers['sec-websocket-extensions'], undefined);
  });

  const accepted = {
    'token lists and other case': { Connection: 'keep-alive, uPgRaDe', Upgrade: 'WebSocket' },
    'blanks around values': { 'Sec-WebSocket-Version': '  13 \t', Upgrade: '\twebsocket ' },
    'an offer of compression': { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
    'broken extensions': { 'Sec-WebSocket-Extensions': 'constructor; =;;' },
    'another key': { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
    'an origin': { Origin: 'https://example.org' },
    'an empty Content-Length of 0': { 'Content-Length': '0' },
  };
  for (const [what, change] of Object.entries(accepted)) {
    group(`is accepted with ${what}`, async (server) => {
      const answer = await answerTo(server, upgradeHead(target, { change }));
      assert.equal(answer.status, 101);
      assert.equal(answer.headers['sec-websocket-accept'], acceptFor((change['Sec-WebSocket-Key'] ?? sampleKey).trim()));
    });
  }

  group('echoes the first offered subprotocol, as the Swift client needs', async (server) => {
    for (const [offer, chosen] of [['pusher-channels-protocol-7', 'pusher-channels-protocol-7'], ['a, b', 'a']]) {
      const answer = await answerTo(server, upgradeHead(target, { change: { 'Sec-WebSocket-Protocol': offer } }));
      assert.equal(answer.headers['sec-websocket-protocol'], chosen);
    }
  });

  group('in single bytes', async (server) => {
    const raw = await RawSocket.connect(server);
    for (const byte of Buffer.from(upgradeHead(target))) await raw.flush(Buffer.from([byte]));
    assert.equal((await raw.response()).status, 101);
  });

  const upgrade = (change, extra) => upgradeHead(target, { change, extra });
  const refused = {
    'no key': [upgrade({ 'Sec-WebSocket-Key': null }), 400],
    'an empty key': [upgrade({ 'Sec-WebSocket-Key': '' }), 400],
    'a key of 15 bytes': [upgrade({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAA' }), 400],
    'a key of 17 bytes': [upgrade({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAAA=' }), 400],
    'a key that is no base64': [upgrade({ 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' }), 400],
    'two keys': [upgrade({}, [`Sec-WebSocket-Key: ${sampleKey}`]), 400],
    'no version': [upgrade({ 'Sec-WebSocket-Version': null }), 426],
    'version 8': [upgrade({ 'Sec-WebSocket-Version': '8' }), 426],
    'version 14': [upgrade({ 'Sec-WebSocket-Version': '14' }), 426],
    'version 13x': [upgrade({ 'Sec-WebSocket-Version': '13x' }), 426],
    'no Connection: Upgrade': [upgrade({ Connection: 'keep-alive' }), 426],
    'Connection: notupgrade': [upgrade({ Connection: 'notupgrade' }), 426],
    'no Upgrade header': [upgrade({ Upgrade: null }), 426],
    'Upgrade: h2c': [upgrade({ Upgrade: 'h2c' }), 426],
    'no Host': [upgrade({ Host: null }), 400],
    'two Hosts': [upgrade({}, ['Host: b']), 400],
    'POST': [upgradeHead(target, { method: 'POST' }), 405],
    'a method in lower case': [upgradeHead(target, { method: 'get' }), 501],
    'HTTP/1.0': [upgradeHead(target, { version: 'HTTP/1.0' }), 505],
    'HTTP/2.0': [upgradeHead(target, { version: 'HTTP/2.0' }), 505],
    'a body': [`${upgrade({ 'Content-Length': '5' })}hello`, 400],
    'Transfer-Encoding': [`${upgrade({ 'Transfer-Encoding': 'chunked' })}0\r\n\r\n`, 400],
    'an unknown path': [upgradeHead('/no/such/path'), 404],
    'an API path': [upgradeHead('/apps/app-id/events'), 405],
    'no path of an app': [upgradeHead('/app/'), 404],
  };
  for (const [what, [bytes, status]] of Object.entries(refused)) {
    group(`is refused with ${what}`, async (server) => {
      const answer = await answerTo(server, bytes);
      assert.equal(answer?.status, status);
      if (answer.status === 426) assert.equal(answer.headers['sec-websocket-version'], '13');
    });
  }
});

onCores('request heads that must not pass', {}, (group) => {
  const get = (...lines) => head('GET /nothing HTTP/1.1', 'Host: x', ...lines);
  const post = (...lines) => head('POST /apps/app-id/events HTTP/1.1', 'Host: x', ...lines);
  const long = (n) => 'x'.repeat(n);
  const refused = {
    'Content-Length and Transfer-Encoding': [post('Content-Length: 3', 'Transfer-Encoding: chunked') + '0\r\n\r\n', 400],
    'two different Content-Lengths': [post('Content-Length: 1', 'Content-Length: 2') + 'ab', 400],
    'a negative Content-Length': [post('Content-Length: -1'), 400],
    'a signed Content-Length': [post('Content-Length: +1') + 'a', 400],
    'a Content-Length of 2^64': [post('Content-Length: 18446744073709551616'), 400],
    'an empty Content-Length': [post('Content-Length: '), 400],
    'an unknown Transfer-Encoding': [post('Transfer-Encoding: zip'), 501],
    'chunked not last': [post('Transfer-Encoding: chunked, zip') + '0\r\n\r\n', 400],
    'a broken chunk size': [post('Transfer-Encoding: chunked') + 'zz\r\n', 400],
    'a chunk size of 2^64': [post('Transfer-Encoding: chunked') + '10000000000000000\r\n', 400],
    'a blank before the colon': [get('Name : value'), 400],
    'an empty header name': [get(': value'), 400],
    'a header line without a colon': [get('nonsense'), 400],
    'a folded line': [get('A: b', ' c'), 400],
    'a bare CR in a value': [get('A: b\rc'), 400],
    'a bare LF instead of CRLF': ['GET /nothing HTTP/1.1\nHost: x\n\n', 400],
    'NUL in a value': [get('A: b\0c'), 400],
    'NUL in the target': ['GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    'a blank in the target': ['GET /a b HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    'two Hosts': [get('Host: y'), 400],
    'no Host': ['GET /nothing HTTP/1.1\r\n\r\n', 400],
    'an unknown method': ['MAKE /nothing HTTP/1.1\r\nHost: x\r\n\r\n', 501],
    'CONNECT': ['CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n', 501],
    'HTTP/9.9': ['GET / HTTP/9.9\r\nHost: x\r\n\r\n', 505],
    'plain garbage': ['nonsense\r\n\r\n', 400],
    'a header of 128 KiB': [get(`A: ${long(128 * 1024)}`), 431],
    'a target of 128 KiB': [`GET /${long(128 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
    '20,000 header lines': [get(...Array(20_000).fill('a: b')), 431],
    'a MiB without a line end': [long(1024 * 1024), 501],
    'the HTTP/2 preface': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  };
  for (const [what, [bytes, status]] of Object.entries(refused)) {
    group(`${what} is refused and the connection ended`, async (server) => {
      const raw = await RawSocket.connect(server);
      raw.write(bytes);
      const answer = await raw.response();
      assert.equal(answer?.status, status);
      const rejoined = answer.status === 404 || answer.status === 405;
      if (!rejoined) await raw.closed(3000);
    });
  }

  group('a TLS hello is refused at once', async (server) => {
    const raw = await RawSocket.connect(server);
    raw.write(Buffer.concat([Buffer.from('16030100c8010000c40303', 'hex'), Buffer.alloc(189)]));
    await raw.closed(2000);
  });

  group('exactly 100 header lines pass, 101 do not', async (server) => {
    const lines = (n) => Array.from({ length: n - 1 }, (_, i) => `h${i}: v`);
    assert.equal((await answerTo(server, get(...lines(100)))).status, 404);
    assert.equal((await answerTo(server, get(...lines(101)))).status, 431);
  });

  group('a smuggled second request is not executed', async (server) => {
    const inner = head('GET /smuggled HTTP/1.1', 'Host: x');
    const raw = await RawSocket.connect(server);
    raw.write(post(`Content-Length: ${inner.length}`, 'Transfer-Encoding: chunked') + `0\r\n\r\n${inner}`);
    assert.equal((await raw.response()).status, 400);
    await raw.closed(3000);
    assert.equal(raw.pending, 0, 'no second answer');
  });

  group('a refusal is counted', async (server) => {
    const before = await server.metric('spillway_refused_total');
    const requests = await server.metric('spillway_http_requests_total');
    await answerTo(server, 'nonsense\r\n\r\n');
    await until('a counter moved', async () => {
      const refusals = (await server.metric('spillway_refused_total')) - before;
      return refusals + (await server.metric('spillway_http_requests_total')) - requests >= 1;
    });
  });
});

onCores('handshake timeout', { flags: ['--handshake-timeout', '1s'] }, (group) => {
  group('is absolute: neither silence nor one byte now and then gets past it', async (server) => {
    const before = server.descriptors();
    const start = Date.now();
    const silent = await Promise.all(Array.from({ length: 20 }, () => RawSocket.connect(server)));
    const dripping = await Promise.all(Array.from({ length: 20 }, () => RawSocket.connect(server)));
    const bytes = upgradeHead(target);
    let at = 0;
    const drip = setInterval(() => {
      for (const raw of dripping) raw.write(bytes[at]);
      at = (at + 1) % bytes.length;
    }, 50);
    try {
      await Promise.all([...silent, ...dripping].map((raw) => raw.closed(3000)));
    } finally {
      clearInterval(drip);
    }
    assert.ok(Date.now() - start < deadline(4000), `${Date.now() - start} ms`); // the whole head would take ten seconds
    [...silent, ...dripping].forEach((raw) => raw.close());
    await until('the descriptors are back', () => server.descriptors() <= before);
  });

  group('does not touch an open client', async (server) => {
    const client = await FrameClient.open(server, target);
    const idle = await RawSocket.connect(server);
    await idle.closed(3000);
    await client.frame();
    client.send(9, 'still here');
    assert.equal((await client.frame()).payload.toString(), 'still here');
  });
});

const originApp = `
[[app]]
id = "app-id"
key = "app-key"
secret = "app-secret"
allowed_origins = ["https://good.example", "https://*.fine.example"]
`;
onCores('allowed_origins', { toml: originApp, cores: [1] }, (group) => {
  const verdicts = {
    'https://good.example': 101, 'https://a.fine.example': 101, 'https://evil-good.example': 403, 'null': 403,
    'http://good.example': 403, 'https://good.example.evil.org': 403, 'https://good.example:8443': 403,
    'https://fine.example.evil.org': 403,
  };
  for (const [origin, status] of Object.entries(verdicts)) {
    group(`${origin} gets ${status}`, async (server) => {
      assert.equal((await answerTo(server, upgradeHead(target, { change: { Origin: origin } }))).status, status);
    });
  }
  group('no Origin header passes', async (server) => {
    assert.equal((await answerTo(server, upgradeHead(target))).status, 101);
  });
});

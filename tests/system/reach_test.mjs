// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The ways to a server: IPv4 and IPv6 over one socket, a Unix socket, a path prefix, pages of allowed origins.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import WebSocket from 'ws';
import { Api, signedQuery } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { deadline, within } from './support/deadline.mjs';
import { run, Server } from './support/server.mjs';

const options = { timeout: deadline(20_000) };
const hasIpv6 = Object.values(networkInterfaces()).flat().some((i) => i.address === '::1');

/** Opens `url`; resolves with the socket when it is open, rejects with {status} when it is refused. */
function open(url, more) {
  const ws = new WebSocket(url, { perMessageDeflate: false, ...more });
  const opened = new Promise((resolve, reject) => {
    ws.on('open', () => resolve(ws));
    ws.on('unexpected-response', (request, response) => {
      request.destroy();
      reject(Object.assign(new Error(`refused with ${response.statusCode}`), { status: response.statusCode }));
    });
    ws.on('error', reject);
  });
  return within(5000, `answer of ${url}`, opened);
}

const nextText = (ws) => within(5000, 'a message', new Promise((resolve) => ws.once('message', (m) => resolve(String(m)))));

describe('IPv6', { skip: !hasIpv6 && 'no IPv6 on this host' }, () => {
  for (const cores of [1, 2]) {
    it(`--host :: takes both families (--cores ${cores})`, options, async () => {
      const server = await Server.start({ cores, flags: ['--host', '::'] });
      try {
        assert.match(server.stdout, /listening on http:\/\/\[::\]:\d+/);
        const readers = [];
        for (const host of ['127.0.0.1', '[::1]']) readers.push(await open(`ws://${host}:${server.port}/feed/x?key=app-key`));
        const texts = Promise.all(readers.map(nextText));
        server.host = '::1';
        await new Api(server).publish('x', 'e', 'to both');
        assert.deepEqual(await texts, ['to both', 'to both']);
        for (const ws of readers) ws.terminate();
      } finally {
        await server.stop();
      }
    });
  }

  it('--host ::1 is reached by IPv6 alone, and named when it is taken', options, async () => {
    const server = await Server.start({ cores: 1, flags: ['--host', '::1'] });
    try {
      (await open(`ws://[::1]:${server.port}/feed/x?key=app-key`)).terminate();
      await assert.rejects(open(`ws://127.0.0.1:${server.port}/feed/x?key=app-key`), { code: 'ECONNREFUSED' });
      const { code, stdout, stderr } = await run(['--host', '::', '--port', String(server.port), '--metrics-port', '0']);
      assert.equal(code, 1);
      assert.match(stdout + stderr, new RegExp(`in use by pid ${server.pid}`));
    } finally {
      await server.stop();
    }
  });
});

describe('a Unix socket', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

  for (const cores of [1, 2]) {
    it(`serves WebSockets and the API beside the port, and goes with the server (--cores ${cores})`, options, async () => {
      const file = path.join(folder, `s${cores}`);
      const server = await Server.start({ cores, flags: ['--unix-socket', file, '--unix-socket-mode', '0600'] });
      try {
        assert.equal(statSync(file).mode & 0o777, 0o600);
        const readers = [];
        for (let i = 0; i < 8; i++) readers.push(await open(`ws+unix:${file}:/feed/x?key=app-key`));
        readers.push((await FeedReader.open(server, 'x')).ws);
        const texts = Promise.all(readers.map(nextText));
        const body = JSON.stringify({ name: 'e', channel: 'x', data: 'through a file' });
        const target = '/apps/app-id/events';
        const status = await new Promise((resolve, reject) => {
          const request = http.request({
            socketPath: file, method: 'POST', path: `${target}?${signedQuery(server.app, { method: 'POST', path: target, body })}`,
            headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }, agent: false,
          }, (response) => response.resume().on('end', () => resolve(response.statusCode)));
          request.on('error', reject).end(body);
        });
        assert.equal(status, 200);
        assert.deepEqual(await texts, readers.map(() => 'through a file'));
        for (const ws of readers) ws.terminate();
      } finally {
        await server.stop();
      }
      assert.ok(!existsSync(file));
    });
  }

  it('of a server that was killed is taken over, of one that lives is not', options, async () => {
    const file = path.join(folder, 'killed');
    const first = await Server.start({ cores: 2, flags: ['--unix-socket', file] });
    const { code, stdout, stderr } = await run(['--port', '0', '--metrics-port', '0', '--unix-socket', file]);
    assert.equal(code, 1);
    assert.match(stdout + stderr, new RegExp(`unix:${file}: pid ${first.pid} listens there`));
    (await open(`ws+unix:${file}:/feed/x?key=app-key`)).terminate();
    first.kill();
    await first.exited;
    assert.ok(existsSync(file));
    const second = await Server.start({ cores: 2, flags: ['--unix-socket', file] });
    try {
      (await open(`ws+unix:${file}:/feed/x?key=app-key`)).terminate();
    } finally {
      await second.stop();
    }
  });

  it('of a client that does not read holds up nobody and is dropped from', options, async () => {
    const file = path.join(folder, 'slow');
    const server = await Server.start({ cores: 1, flags: ['--unix-socket', file, '--queue-messages', '16'] });
    try {
      const slow = net.connect(file);
      slow.write('GET /feed/x?key=app-key HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n');
      await server.untilMetric('spillway_subscriptions', {}, 1);
      slow.pause();
      const reader = await FeedReader.open(server, 'x');
      const api = new Api(server);
      for (let i = 0; i < 100; i++) await api.publish('x', 'e', `${i}:${'x'.repeat(9000)}`);
      for (let i = 0; i < 100; i++) assert.equal((await reader.text()).split(':')[0], String(i));
      await server.untilMetric('spillway_dropped_total', { reason: 'queue_threshold' }, (n) => n > 0);
      slow.destroy();
      reader.close();
      await server.untilClients(0);
    } finally {
      await server.stop();
    }
  });
});

describe('a path prefix', () => {
  it('stands before every path, and signatures may be over either', options, async () => {
    const server = await Server.start({ cores: 1, flags: ['--path-prefix', '/live/eu'] });
    try {
      const reader = await open(server.wsUrl('/live/eu/feed/x?key=app-key'));
      (await open(server.wsUrl('/live/eu/app/app-key?protocol=7'))).terminate();
      for (const target of ['/feed/x?key=app-key', '/live/eu2/feed/x?key=app-key', '/live/feed/x?key=app-key']) {
        await assert.rejects(open(server.wsUrl(target)), { status: 404 }, target);
      }
      const api = new Api(server);
      const body = JSON.stringify({ name: 'e', channel: 'x', data: 'd' });
      for (const signedPath of ['/live/eu/apps/app-id/events', '/apps/app-id/events']) {
        const text = nextText(reader);
        const query = signedQuery(server.app, { method: 'POST', path: signedPath, body });
        assert.equal((await api.request({ path: '/live/eu/apps/app-id/events', body, query })).status, 200);
        assert.equal(await text, 'd');
      }
      assert.equal((await api.request({ path: '/apps/app-id/events', body })).status, 404);
      reader.terminate();
      await server.untilClients(0);
    } finally {
      await server.stop();
    }
  });
});

describe('allowed origins', () => {
  const app = { id: 'a', key: 'k', secret: 's' };
  const toml = '[[app]]\nid = "a"\nkey = "k"\nsecret = "s"\n' +
    'allowed_origins = ["https://*.example.com", "local.test:8080", "null"]\n';

  it('let pages of these origins in, and programs without one', options, async () => {
    const server = await Server.start({ cores: 1, app, toml });
    try {
      const allowed = ['https://a.example.com', 'https://A.B.Example.com', 'http://local.test:8080', 'null', undefined];
      const foreign = ['https://example.com', 'http://a.example.com', 'https://a.example.com.evil.test',
        'https://evil.test/.example.com', 'http://local.test', 'https://a.example.com:8443', ''];
      for (const target of ['/app/k?protocol=7', '/feed/x?key=k']) {
        for (const origin of allowed) (await open(server.wsUrl(target), { origin })).terminate();
        for (const origin of foreign) {
          await assert.rejects(open(server.wsUrl(target), { headers: { origin } }), { status: 403 }, `${target} ${origin}`);
        }
      }
      assert.equal(await server.metric('spillway_refused_total', { reason: 'origin' }), 2 * foreign.length);
      await server.untilClients(0);
      await PlainPusher.open(server);
    } finally {
      await server.stop();
    }
  });
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The recipes of tools/proxies, run as they are but for ports and certificate: TLS outside, Spillway behind. A proxy that the
// host does not have is skipped.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { signedTarget } from './support/api.mjs';
import { happens, pusherJs } from './support/clients.mjs';
import { deadline, until, within } from './support/deadline.mjs';
import { quietPort } from './support/quiet_port.mjs';
import { Server } from './support/server.mjs';

process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';  // pusher-js cannot be told of one certificate

const options = { timeout: deadline(20_000) };
const recipes = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../tools/proxies');
const folder = mkdtempSync(path.join(tmpdir(), 'spillway-proxies-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const inFolder = (name) => path.join(folder, name);

/** Where the program is; folders that root alone has on its PATH count. */
const program = (name) => `${process.env.PATH}:/usr/sbin:/sbin`.split(':').map((f) => path.join(f, name)).find((f) => existsSync(f));

const certificate = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
  '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', inFolder('key.pem'), '-out', inFolder('cert.pem')]);
if (certificate.status === 0) writeFileSync(inFolder('both.pem'), `${readFileSync(inFolder('cert.pem'))}${readFileSync(inFolder('key.pem'))}`);

/** The recipe with those places of it replaced; each must be there. */
function derived(name, places) {
  let text = readFileSync(path.join(recipes, name), 'utf8');
  for (const [from, to] of places) {
    assert.ok(text.includes(from), `${name} has no "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const proxies = [
  {
    name: 'nginx', flags: [],
    start(port, backend) {
      const site = derived('nginx.conf', [['listen 443 ssl', `listen 127.0.0.1:${port} ssl`], ['    listen [::]:443 ssl;\n', ''],
        ['/etc/ssl/live.example.com.pem', inFolder('cert.pem')], ['/etc/ssl/live.example.com.key', inFolder('key.pem')],
        ['127.0.0.1:6001', `127.0.0.1:${backend}`]]);
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((n) => `${n}_temp_path ${inFolder(n)};`);
      writeFileSync(inFolder('nginx.conf'), `daemon off; master_process off; pid ${inFolder('nginx.pid')}; error_log stderr;
        events {} http { access_log off; ${temporary.join(' ')} ${site} }`);
      return ['-p', folder, '-e', 'stderr', '-c', inFolder('nginx.conf')];
    },
  },
  {
    name: 'haproxy', flags: ['--proxy-protocol'],
    start(port, backend) {
      writeFileSync(inFolder('haproxy.cfg'), derived('haproxy.cfg', [['bind :443', `bind 127.0.0.1:${port}`], ['maxconn 100000', 'maxconn 100'],
        ['/etc/ssl/live.example.com.pem', inFolder('both.pem')], ['127.0.0.1:6001', `127.0.0.1:${backend}`]]));
      return ['-db', '-f', inFolder('haproxy.cfg')];
    },
  },
  {
    name: 'caddy', flags: [],
    start(port, backend) {
      writeFileSync(inFolder('Caddyfile'), `{\n\tadmin off\n\tauto_https off\n}\n${derived('Caddyfile', [
        ['\nlive.example.com {', `\nhttps://127.0.0.1:${port} {\n\ttls ${inFolder('cert.pem')} ${inFolder('key.pem')}`],
        ['127.0.0.1:6001 {', `127.0.0.1:${backend} {`]])}`);
      return ['run', '--adapter', 'caddyfile', '--config', inFolder('Caddyfile')];
    },
  },
];

/** A feed through the proxy from that address of ours; rejects with {status} when refused. */
function openFeed(port, localAddress) {
  const ws = new WebSocket(`wss://127.0.0.1:${port}/feed/news?key=app-key`, { localAddress, perMessageDeflate: false });
  return within(5000, 'a feed through the proxy', new Promise((resolve, reject) => {
    ws.on('open', () => resolve(ws));
    ws.on('unexpected-response', (request, response) => {
      request.destroy();
      reject(Object.assign(new Error('refused'), { status: response.statusCode }));
    });
    ws.on('error', reject);
  }));
}

function post(port, target, body) {
  return within(5000, 'an answer through the proxy', new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    https.request({ host: '127.0.0.1', port, method: 'POST', path: target, headers, agent: false },
      (response) => response.resume().on('end', () => resolve(response.statusCode))).on('error', reject).end(body);
  }));
}

for (const proxy of proxies) {
  const file = program(proxy.name);
  const skip = (!file && `no ${proxy.name} on this host`) || (certificate.status !== 0 && 'no openssl on this host');
  describe(`${proxy.name} in front`, { skip }, () => {
    it('TLS, WebSockets, the API, and the address of the client', options, async () => {
      const flags = ['--trusted-proxies', '127.0.0.1', '--max-clients-per-ip', '1', ...proxy.flags];
      const server = await Server.start({ cores: 2, flags });
      const port = await quietPort();
      const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
      const child = spawn(file, proxy.start(port, server.port), { stdio: ['ignore', 'pipe', 'pipe'], env });
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
      const ended = new Promise((resolve) => child.on('close', resolve));
      try {
        await until('the proxy listens', () => {
          if (child.exitCode !== null) throw new Error(`${proxy.name} ended`);
          return new Promise((resolve) => {
            const probe = net.connect(port, '127.0.0.1', () => resolve(probe.destroy() && true));
            probe.on('error', () => resolve(false));
          });
        });
        const first = await openFeed(port, '127.0.0.2');
        await assert.rejects(openFeed(port, '127.0.0.2'), { status: 503 }, 'a second client of that address is one too many');
        const second = await openFeed(port, '127.0.0.3');
        const pusher = await pusherJs(server, { wsPort: port, wssPort: port, wsHost: '127.0.0.1', forceTLS: true });
        const channel = pusher.subscribe('private-news');
        await happens(channel, 'pusher:subscription_succeeded');

        const texts = [first, second].map((ws) => within(5000, 'a message', new Promise((resolve) => ws.on('message', (m) => resolve(String(m))))));
        const event = happens(channel, 'headline');
        const body = JSON.stringify({ name: 'headline', channels: ['news', 'private-news'], data: '"through the proxy"' });
        assert.equal(await post(port, signedTarget(server.app, { method: 'POST', path: '/apps/app-id/events', body }), body), 200);
        assert.deepEqual(await Promise.all(texts), ['"through the proxy"', '"through the proxy"']);
        assert.equal(await event, 'through the proxy');
        for (const ws of [first, second]) ws.terminate();
        pusher.disconnect();
        await server.untilClients(0);
      } catch (error) {
        error.message += `${server.story()}\n${said.slice(-2000)}`;
        throw error;
      } finally {
        child.kill('SIGTERM');
        await ended;
        await server.stop();
      }
    });
  });
}

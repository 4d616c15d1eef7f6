// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The dashboard in a real browser: figures arrive and are drawn, in light and dark, on a desk and on a phone; the console
// subscribes and publishes; and nobody sees it who may not. SPILLWAY_SCREENSHOTS=FOLDER adds a minute and a half of load and
// writes pictures of it: those in docs/ are made anew by SPILLWAY_SCREENSHOTS=../../docs node --test dashboard_test.mjs.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import WebSocket from 'ws';
import { Api } from './support/api.mjs';
import { Browser, hasBrowser } from './support/browser.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { until, within } from './support/deadline.mjs';
import { FrameClient } from './support/frame_client.mjs';
import { head, RawSocket } from './support/raw_socket.mjs';
import { onCores, Server } from './support/server.mjs';

const pictures = process.env.SPILLWAY_SCREENSHOTS;
const text = (id) => `document.getElementById(${JSON.stringify(id)}).textContent`;
const set = (id, value) => `{ const e = document.getElementById(${JSON.stringify(id)}); e.value = ${JSON.stringify(value)}; e.dispatchEvent(new Event('input')); }`;
const click = (id) => `document.getElementById(${JSON.stringify(id)}).click()`;

/** Asks the metrics port; the Host header is as given. */
async function ask(server, lines, body = '') {
  const raw = await RawSocket.connect(server, { port: server.metricsPort });
  raw.write(head(...lines, ...(body ? [`Content-Length: ${Buffer.byteLength(body)}`] : [])) + body);
  return raw.response();
}

/** The first messages of /live. */
function live(server, count, { headers = {}, query = '' } = {}) {
  return within(8000, `${count} messages of /live`, new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.metricsPort}/live${query}`, { headers });
    const messages = [];
    socket.on('message', (data) => {
      messages.push(JSON.parse(data));
      if (messages.length === count) { socket.terminate(); resolve(messages); }
    });
    socket.on('unexpected-response', (_, response) => { socket.terminate(); resolve(response.statusCode); });
    socket.on('error', reject);
  }));
}

describe('the dashboard in a browser', { skip: hasBrowser ? false : 'no Chromium on this host' }, () => {
  let browser;
  let server;
  before(async () => {
    browser = await Browser.launch();
    server = await Server.start({ cores: 2 });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('draws clients, channels and deliveries, in light and dark, on a desk and on a phone', async () => {
    const page = await browser.page(`http://127.0.0.1:${server.metricsPort}/`);
    const readers = await Promise.all(Array.from({ length: 5 }, () => FeedReader.open(server, 'drawn')));
    const api = new Api(server);
    await api.publish('drawn', 'e', 'x'.repeat(100));
    await Promise.all(readers.map((r) => r.inbox.take('the message')));
    await page.until(`${text('tiles')}.includes('5clients')`);
    await page.until(`${text('channels')}.includes('drawn')`);
    await page.until(`document.querySelectorAll('#cores tr').length === 3`);
    await until('the page says how the server is', async () => // which on a busy machine may be a warning
      (await page.value(text('health'))) === JSON.parse((await server.page('/stats')).text).health.status);
    assert.match(await page.value(`document.querySelector('#delivered canvas').getAttribute('aria-label')`), /Deliveries per second: now/);
    await page.screenshot();
    await page.scheme('dark');
    await page.until(`getComputedStyle(document.body).backgroundColor === 'rgb(15, 15, 14)'`);
    await page.size(390, 844, { mobile: true, scale: 2 });
    await page.until('innerWidth === 390');
    assert.ok(await page.value('document.documentElement.scrollWidth') <= 390, 'nothing sticks out sideways on a phone');
    assert.deepEqual(page.faults, []);
  });

  it('shows the last minutes to who comes later', async () => {
    await until('two seconds are over', async () => (await live(server, 1))[0].points.length >= 2);
    const page = await browser.page(`http://127.0.0.1:${server.metricsPort}/`);
    await page.until('points.length >= 2');
  });

  it('has a console that subscribes, publishes and shows the event', async () => {
    const page = await browser.page(`http://127.0.0.1:${server.metricsPort}/`);
    await page.until(`document.querySelectorAll('#app option').length === 1`);
    await page.value(click('tab-console'));
    for (const channel of ['tried', 'private-tried']) {
      await page.value(set('channel', channel));
      await page.value(click('clear'));
      await page.value(click('subscribe'));
      await page.until(`${text('log')}.includes('subscription_succeeded')`);
      await page.value(set('data', `for ${channel}`));
      await page.value(click('send'));
      await page.until(`${text('log')}.includes(${JSON.stringify(`for ${channel}`)})`);
    }
    assert.deepEqual(page.faults, []);
  });
});

/** Readers of a dozen channels of different sizes, some of whom do not read, and publishers whose rate rises and falls. */
async function loaded(server, seconds) {
  const names = ['prices', 'news', 'scores', 'weather', 'traffic', 'alerts', 'auctions', 'chess', 'markets', 'radio', 'trains', 'votes'];
  const counts = names.map((_, i) => Math.ceil(100 / (i + 1)));
  for (const [i, name] of names.entries())
    await Promise.all(Array.from({ length: counts[i] }, () => FeedReader.open(server, name)));
  const pushers = await Promise.all(Array.from({ length: 40 }, () => PlainPusher.open(server)));
  for (const [i, client] of pushers.entries()) await client.subscribe(names[i % 4]);
  for (const [channel, n] of [['prices', 3], ['news', 2], ['chess', 1]]) {
    for (let i = 0; i < n; i++) server.own(await FrameClient.open(server, `/feed/${channel}?key=app-key`)).raw.socket.pause();
  }
  const api = new Api(server);
  const begin = Date.now();
  for (let at = 0; at < seconds; at = (Date.now() - begin) / 1000) {
    const batches = 2 + Math.round(2 * Math.sin(at / 7) ** 2);
    for (let i = 0; i < batches; i++)
      await api.batch(names.slice(0, 10).map((name, n) => ({
        name: 'tick', channel: names[(n * 7 + i) % 12], data: JSON.stringify({ at, text: 'x'.repeat(4000) }),
      })));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('pictures of the dashboard under load', { skip: pictures ? hasBrowser ? false : 'no Chromium on this host' : 'no SPILLWAY_SCREENSHOTS' }, () => {
  it('light and dark on a desk, and on a phone', { timeout: 240_000 }, async () => {
    const server = await Server.start({ cores: 2, flags: ['--queue-messages', '256', '--queue-bytes', '256KiB', '--write-timeout', '600s', '--socket-send-buffer', '16KiB'] });
    const browser = await Browser.launch();
    try {
      const page = await browser.page(`http://127.0.0.1:${server.metricsPort}/`);
      let over = false;
      const load = loaded(server, 130).finally(() => (over = true));
      await until('the charts are full', () => page.value('points.length >= 100'), 120_000);
      const shot = async (name, width, height, scheme, more) => {
        await page.scheme(scheme);
        await page.size(width, height, more);
        await page.until(`innerWidth === ${width}`);
        await page.value('new Promise((resolve) => setTimeout(resolve, 1500))');  // it draws once a second
        await page.screenshot(path.join(pictures, `${name}.png`));
      };
      await shot('dashboard-light', 1180, 1330, 'light');
      await shot('dashboard-dark', 1180, 1330, 'dark');
      await shot('dashboard-phone', 390, 1180, 'light', { mobile: true });
      assert.ok(!over, 'there was load to the last');
      assert.deepEqual(page.faults, []);
      await load;
    } finally {
      await browser.close();
      await server.stop();
    }
  });
});

onCores('/live', {}, (group) => {
  group('B6 begins with the apps and what was, then tells a second at a time', async (server) => {
    const [hello, tick] = await live(server, 2);
    assert.equal(hello.type, 'hello');
    assert.equal(hello.port, server.port);
    assert.deepEqual(hello.apps, [{ id: 'app-id', key: 'app-key' }]);
    assert.ok(Array.isArray(hello.points));
    assert.equal(tick.type, 'tick');
    assert.equal(tick.cores.length, server.cores ?? tick.stats.cores);
    for (const core of tick.cores) assert.ok(core.busy >= 0 && core.busy <= 1);
    assert.equal(tick.stats.clients.dashboard, 1);
  });

  group('says which clients are slow', async (server) => {
    const slow = await RawSocket.connect(server);
    slow.write(head('GET /feed/slow?key=app-key HTTP/1.1', 'Host: x', 'Upgrade: websocket', 'Connection: Upgrade',
      'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='));
    assert.equal((await slow.response()).status, 101);
    slow.socket.pause();
    const api = new Api(server);
    const metrics = async () => (await server.metrics()).sum('spillway_queued_messages');
    for (let i = 0; i < 2000 && (await metrics()) === 0; ++i)
      await api.publishAll(Array.from({ length: 100 }, () => ({ name: 'e', channel: 'slow', data: 'x'.repeat(10_000) })));
    assert.ok((await metrics()) > 0, 'the reader is behind');
    const found = (message) => message.backlogs?.some((b) => b.kind === 'feed' && b.bytes > 0);
    await until('the survey has it', async () => (await live(server, 3)).some(found), 20_000);
    slow.socket.destroy();
  });

  group('is no client: no limit counts it', async (server) => {
    const before = (await server.metrics()).sum('spillway_clients', { kind: 'pusher' });
    const viewer = new WebSocket(`ws://127.0.0.1:${server.metricsPort}/live`);
    await within(5000, 'the upgrade', new Promise((resolve) => viewer.once('open', resolve)));
    const limited = await Server.start({ flags: ['--max-clients', '1'] });
    try {
      assert.equal((await live(limited, 1))[0].type, 'hello');
      await PlainPusher.open(limited);
      assert.equal((await live(limited, 1))[0].type, 'hello');
    } finally {
      await limited.stop();
    }
    assert.equal((await server.metrics()).sum('spillway_clients', { kind: 'pusher' }), before);
    viewer.terminate();
  });

  group('has places for 16 viewers', async (server) => {
    const viewers = Array.from({ length: 16 }, () => new WebSocket(`ws://127.0.0.1:${server.metricsPort}/live`));
    await Promise.all(viewers.map((v) => within(5000, 'the upgrade', new Promise((resolve) => v.once('open', resolve)))));
    assert.equal(await live(server, 1), 503);
    for (const viewer of viewers) viewer.terminate();
    await until('a place is free again', async () => typeof (await live(server, 1)) !== 'number');
  });
});

describe('who may see the dashboard', () => {
  const ownHost = (server) => `Host: 127.0.0.1:${server.metricsPort}`;
  const json = 'Content-Type: application/json';

  it('a page of another site may not, whatever name it gives its server (DNS rebinding)', async () => {
    const server = await Server.start();
    try {
      assert.equal((await ask(server, ['GET / HTTP/1.1', ownHost(server)])).status, 200);
      assert.equal((await ask(server, ['GET / HTTP/1.1', `Host: localhost:${server.metricsPort}`])).status, 200);
      for (const lines of [
        ['GET / HTTP/1.1', 'Host: evil.example'],
        ['GET / HTTP/1.1', ownHost(server), 'Origin: http://evil.example'],
        ['POST /console/publish HTTP/1.1', ownHost(server), 'Origin: http://evil.example', json],
      ]) assert.equal((await ask(server, lines, lines[0].startsWith('POST') ? '{}' : '')).status, 403, lines.join(' | '));
      assert.equal(await live(server, 1, { headers: { origin: 'http://evil.example' } }), 403);
      assert.equal((await ask(server, ['POST /console/publish HTTP/1.1', ownHost(server), 'Content-Type: text/plain'], '{}')).status, 415);
    } finally {
      await server.stop();
    }
  });

  it('with a token only who shows it, and elsewhere than on loopback nobody without', async () => {
    const token = 'a-token-of-this-test';
    const server = await Server.start({ env: { SPILLWAY_DASHBOARD_TOKEN: token } });
    try {
      assert.equal((await ask(server, ['GET / HTTP/1.1', ownHost(server)])).status, 403);
      assert.equal((await ask(server, [`GET /?token=${token}x HTTP/1.1`, ownHost(server)])).status, 403);
      assert.equal((await ask(server, [`GET /?token=${token} HTTP/1.1`, ownHost(server)])).status, 200);
      assert.equal((await ask(server, ['GET / HTTP/1.1', 'Host: metrics.example', `Authorization: Bearer ${token}`])).status, 200);
      assert.equal(await live(server, 1), 403);
      assert.equal((await live(server, 1, { query: `?token=${token}` }))[0].type, 'hello');
      assert.equal((await server.page('/metrics')).status, 200, 'Prometheus needs none');
      assert.ok(!(server.stdout + server.stderr).includes(token), 'no secret in the log');
    } finally {
      await server.stop();
    }
    const open = await Server.start({ flags: ['--metrics-host', '0.0.0.0'] });
    try {
      const refused = await ask(open, ['GET / HTTP/1.1', ownHost(open)]);
      assert.equal(refused.status, 403);
      assert.match(refused.body.toString(), /dashboard_token/);
    } finally {
      await open.stop();
    }
  });

  it('the console acts for a configured app with its secret only', async () => {
    const app = { id: '1', key: 'k1', secret: 's1-of-the-console' };
    const server = await Server.start({ app, flags: ['--app', `${app.id}:${app.key}:${app.secret}`] });
    try {
      const reader = await FeedReader.open(server, 'guarded');
      const say = (target, body) => ask(server, [`POST ${target} HTTP/1.1`, ownHost(server), json], JSON.stringify(body));
      const event = { name: 'e', channel: 'guarded', data: 'by the console' };
      assert.equal((await say('/console/publish', { app_id: '1', event })).status, 401);
      assert.equal((await say('/console/publish', { app_id: '1', secret: 'wrong', event })).status, 401);
      assert.equal((await say('/console/publish', { app_id: '2', secret: app.secret, event })).status, 404);
      assert.equal((await say('/console/publish', { app_id: '1', secret: app.secret, event: { ...event, channel: 'no such!' } })).status, 400);
      assert.equal((await say('/console/publish', { app_id: '1', secret: app.secret })).status, 400);
      assert.equal((await say('/console/authorise', { app_id: '1', socket_id: '1.1', channel: 'private-x' })).status, 401);
      assert.equal((await say('/console/publish', { app_id: '1', secret: app.secret, event })).status, 200);
      await reader.inbox.take('the event', (message) => String(message.data ?? message) === 'by the console');
    } finally {
      await server.stop();
    }
  });
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows about what an operator does, and about the API, webhooks, memory and time.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { FeedReader } from '../../system/support/clients.mjs';
import { residencyTells, until, within } from '../../system/support/deadline.mjs';
import { WebhookReceiver } from '../../system/support/webhook_receiver.mjs';
import { list, mib, MiB, sleep } from '../trial.mjs';
import { table, testApp } from './protocol.mjs';

const webhook = (url, more = '') => `[[app.webhook]]\nurl = "${url}"\n${more}\n`;
const group = { pid: `spillway-attack-${process.pid}`, folder: null };

/** A cgroup with a limit of memory, of version 2 or 1; null where none can be made. */
function makeGroup() {
  for (const [parent, limit, used] of [
    ['/sys/fs/cgroup', 'memory.max', 'memory.current'], ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes', 'memory.usage_in_bytes'],
  ]) {
    const folder = path.join(parent, group.pid);
    try {
      mkdirSync(folder);
      if (existsSync(path.join(folder, limit))) return { folder, limit: path.join(folder, limit), used: path.join(folder, used) };
      rmdirSync(folder);
    } catch {
      // not here
    }
  }
  return null;
}

/** A listener that takes what comes and counts it. */
async function trap() {
  let taken = 0;
  const server = net.createServer((socket) => {
    taken++;
    socket.on('error', () => {}).destroy();
  });
  await new Promise((resolve) => server.listen(0, '::', resolve));
  return { port: server.address().port, taken: () => taken, close: () => server.close() };
}

/** Ways to write an address that is not of the public internet. */
const inside = (port) => [
  `127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, `[::]:${port}`, `0.0.0.0:${port}`, `0:${port}`, `127.1:${port}`, `2130706433:${port}`,
  `0x7f000001:${port}`, `0x7f.0.0.1:${port}`, `0177.0.0.1:${port}`, `127.0.0.1.:${port}`, `localhost.:${port}`, `[::ffff:127.0.0.1]:${port}`,
  `[::ffff:7f00:1]:${port}`, `[0:0:0:0:0:0:0:1]:${port}`, `[64:ff9b::7f00:1]:${port}`, `user:pass@127.0.0.1:${port}`, `a@b@127.0.0.1:${port}`,
  `127.255.255.254:${port}`, `ip6-localhost:${port}`, `169.254.169.254`, `[fe80::1]:${port}`, `[fd00::1]:${port}`, `10.0.0.1:${port}`, `172.16.0.1:${port}`,
  `192.168.0.1:${port}`, `100.64.0.1:${port}`, `[::127.0.0.1]:${port}`, `224.0.0.1:${port}`, `255.255.255.255:${port}`, `LOCALHOST:${port}`,
];

/** Why a webhook's host is not connected to: it has no public address, or none at all. */
const kUnresolved = /^Resolving timed out/; // where nobody answers for names
const kKeptOut = /^its address is not public|^Could not resolve host|^URL using bad\/illegal format|^Resolving timed out/;

export const operations = [
  {
    id: 'A17',
    name: 'webhook receivers that hang, answer 500, reset',
    drainMs: 500, // what waits for such receivers waits in vain
    load: (t) => `one of each, ${t.n(1000, 200)} events a second, queue of ${t.n(1000, 50)}`,
    server: (t) => {
      const more = `channel_prefix = "hooked-"\nallow_private_network = true\ntimeout = "1s"\nqueue_events = ${t.n(1000, 50)}`;
      return { app: testApp, toml: table(t.receivers.map(({ url }) => webhook(url, more)).join('')) };
    },
    async before(t) {
      const ways = [() => true, (_, response) => response.writeHead(500).end(), (_, response) => response.socket.resetAndDestroy()];
      t.receivers = await Promise.all(ways.map((way) => WebhookReceiver.start({ app: testApp, answer: (one, response) => (way(one, response), true) })));
    },
    async attack(t) {
      const limit = t.n(1000, 50);
      let most = 0;
      const sampling = setInterval(async () => (most = Math.max(most, await t.server.metric('spillway_webhooks_queued').catch(() => 0))), 100);
      const events = await t.tell('occupy', { perSecond: t.n(1000, 200), ms: t.n(8000, 600) }).finally(() => clearInterval(sampling));
      let books;
      await until('the books are closed', async () => {
        const metrics = await t.server.metrics();
        books = { dropped: metrics.sum('spillway_webhooks_total', { result: 'dropped' }), queued: metrics.sum('spillway_webhooks_queued') };
        books.other = ['expired', 'unsent', 'delivered', 'overrun'].reduce((sum, result) => sum + metrics.sum('spillway_webhooks_total', { result }), 0);
        return books.dropped + books.queued + books.other === 3 * events;
      }, 5000).catch(() => t.bar(false, `of 3 x ${events} events: ${JSON.stringify(books)}`));
      t.bar(most <= 3 * limit, `${most} queued`);
      t.bar(books.dropped > 0, 'none was dropped');
      await t.order('roomLeave');
      return `${events} events for each; at most ${most} queued, ${books.dropped} dropped, and that is all there were`;
    },
    cleanUp: (t) => t.receivers?.forEach((receiver) => receiver.close()),
  },
  {
    id: 'A22',
    name: 'HTTP: header bombs, smuggling shapes, large and missing bodies, pipelines',
    load: (t) => `${t.n(100, 8)} connections`,
    async attack(t) {
      const [clients, ms] = [t.n(100, 8), t.n(2500, 200)];
      const witness = await FeedReader.open(t.server, 'smuggled');
      const figures = [];
      for (const what of ['bombs', 'smuggling', 'oversized']) {
        const { requests, shapes, wrong } = await t.tell('shapes', { what, clients, ms });
        t.bar(Object.keys(wrong).length === 0, `answered wrongly: ${list(wrong)}`);
        figures.push(`${requests} of ${shapes} ${what}`);
      }
      const depth = t.n(1000, 100);
      const right = await t.tell('pipelines', { clients: t.n(100, 4), depth });
      t.bar(right === t.n(100, 4) * depth, `${right} answers in pipelines`);
      t.bar(witness.inbox.items.length === 0, 'a smuggled request was executed');
      t.bar(t.peak - t.calmBytes < 64 * MiB, `grew by ${mib(t.peak - t.calmBytes)}`);
      witness.close();
      return `${figures.join(', ')}: each with its status, none executed; ${right} pipelined answers in order; ${mib(t.peak - t.calmBytes)} more at the worst`;
    },
  },
  {
    id: 'A23',
    name: 'SIGTERM under load',
    load: (t) => `${t.n(2000, 60)} clients, half of them feeds, drain timeout 5 s`,
    ends: true,
    p99: 'none',
    async attack(t) {
      const half = t.n(1000, 30);
      await t.tell('open', { n: half, target: `/app/${t.server.app.key}?protocol=7` });
      await t.tell('open', { n: half, target: `/feed/innocent?key=${t.server.app.key}` });
      const before = await t.crew.innocents.call('innocentsMark');
      const start = Date.now();
      t.server.signal('SIGTERM');
      const { codes, torn } = await t.order('untilEnded', 8000);
      const end = await within(8000, 'the end of the server', t.server.exited);
      const ms = Date.now() - start;
      t.bar(end.code === 0, `it ended with ${JSON.stringify(end)}`);
      t.timeBar(ms <= 5500, `it took ${ms} ms`);
      t.bar(codes[4200] === half && codes[1012] === half, `closed: ${list(codes)}`);
      t.bar(torn === 0, `${torn} torn frames`);
      return `4200 to all Pusher clients, 1012 to all feeds, no torn frame; each innocent had the ${before} messages that were published before, ` +
        `and all others up to its close; exit code 0 after ${(ms / 1000).toFixed(2)} s`;
    },
  },
  {
    id: 'A25',
    name: 'reloads, some of a broken file',
    load: (t) => `${t.n(20, 4)}, every fourth wrong, ${t.n(300, 50)} ms apart`,
    server: () => ({ app: testApp, toml: table() }),
    async attack(t) {
      const wrongs = [`${table()}max_clints = 1\n`, `${table()}max_clients = "many"\n`, `${table()}[[app]]\n`, `${table()}max_clients = -1\n`, `${table()}]]\n`];
      let wrong = 0;
      for (let i = 0; i < t.n(20, 4); i++) {
        if (i % 4 !== 3) await t.server.reload(table(`max_channels_per_client = ${1000 + i}`));
        else {
          const said = t.server.stderr.length;
          await t.server.reload(wrongs[wrong++ % wrongs.length], 'refused');
          await until('the line is named', () => /line \d+|:\d+:/.test(t.server.stderr.slice(said)), 2000).catch(() => t.bar(false, `no line number: ${t.server.stderr.slice(said)}`));
        }
        await sleep(t.n(300, 50));
      }
      t.bar((await t.grew('config_reloads_total', { result: 'refused' })) === wrong, 'not each refusal was counted');
      return `${wrong} refused with the line, the others taken`;
    },
  },
  {
    id: 'A26',
    name: 'memory limit: slow readers of large messages in a small cgroup',
    load: (t) => `--memory-limit 1.2 x calm${t.n('', ' + 16 MiB')}, three quarters of the cgroup's as by default; ${t.n(100, 20)} readers that do not read`,
    server: () => ({ through: ['sh', '-c', `echo $$ > ${group.made.folder}/cgroup.procs; exec "$0" "$@"`], app: testApp, toml: limited() }),
    mayRefuse: true, // above the third stage any publication
    skipped: () => (!residencyTells ? 'skipped: memory that a sanitizer surrounds fits no limit'
      : (group.made ??= makeGroup()) ? null : 'skipped: no cgroup can be made here'),
    async attack(t) {
      const own = Math.round(t.server.residentBytes() * 1.2 + t.n(0, 16 * MiB));
      const limit = Math.round(own / 0.75);
      await t.server.reload(limited(own));
      writeFileSync(group.made.limit, String(limit));
      await t.tell('open', { n: t.n(100, 20), target: `/feed/large?key=${testApp.key}`, paused: true, block: 20 });
      const api = t.api();
      let [stage, most, refused] = [0, 0, 0];
      const end = Date.now() + t.n(8000, 1000);
      for (let n = 0; Date.now() < end || (stage === 0 && n < 5000); n++) {
        const { status } = await api.events({ name: 'e', channel: 'large', data: `${n}${'x'.repeat(200_000)}` });
        if (status === 503) refused++;
        else t.bar(status === 200, `a publish was answered ${status}`);
        stage = Math.max(stage, await t.server.metric('spillway_memory_stage'));
        most = Math.max(most, Number(readFileSync(group.made.used, 'utf8')));
      }
      t.bar(stage >= 1, 'the limit was never reached');
      const cut = await t.grew('client_closes_total', { reason: 'memory' });
      api.close();
      await t.order('release');
      await t.server.untilMetric('spillway_memory_stage', {}, 0, 15_000)
        .catch(() => t.bar(false, `stage stays, ${mib(t.server.residentBytes())} resident of ${mib(own)}`));
      return `cgroup of ${mib(limit)}, ${mib(most)} used at the worst; stage ${stage}, ${cut} backlogs cut, ${refused} publishes refused; never killed`;
    },
    cleanUp: async (t) => {
      t.server?.kill();
      await t.server?.exited;
      if (group.made) await until('the cgroup is empty', () => { try { rmdirSync(group.made.folder); return true; } catch { return false; } }, 3000).catch(() => {});
      group.made = null;
    },
  },
  {
    id: 'A27',
    name: 'the process is stopped and goes on',
    load: () => 'SIGSTOP for 3 s, SIGCONT; read timeout 2.5 s, the innocents speak every 0.2 s',
    server: () => ({ flags: ['--ping-interval', '1s', '--pong-timeout', '1s', '--read-timeout', '2500ms'] }),
    innocents: { speakMs: 200 },
    p99: 'after',
    async attack(t) {
      t.server.signal('SIGSTOP');
      await sleep(3000);
      t.server.signal('SIGCONT');
      await t.server.untilMetric('spillway_loop_stalls_total', {}, (n) => n > t.before.sum('spillway_loop_stalls_total'), 3000);
      await sleep(t.n(2000, 300));
      return `${await t.grew('loop_stalls_total')} stalls counted (a loop each), nobody cut who spoke in time`;
    },
  },
  {
    id: 'A35',
    name: 'SSRF through webhooks: 32 ways to write an inside address, and a redirect to one',
    drainMs: 500,
    load: () => '32 webhooks and a redirecting receiver, one event for each, tried twice at least',
    async before(t) {
      t.trap = await trap();
      t.redirecting = await WebhookReceiver.start({
        app: testApp, answer: (_, response) => (response.writeHead(302, { Location: `http://127.0.0.1:${t.trap.port}/` }).end(), true),
      });
    },
    server: (t) => {
      const only = 'channel_prefix = "target"\n';
      const urls = inside(t.trap.port).map((host, i) => webhook(`http://${host}/hook-${i}`, `${only}timeout = "1s"`));
      const third = { id: 'third', key: 'third-key', secret: 's' };
      const second = { id: 'second', key: 'second-key', secret: 's' };
      return {
        app: testApp,
        toml: table(urls.slice(0, 15).join('') + webhook(t.redirecting.url, `${only}allow_private_network = true`)) +
          table(urls.slice(15, 30).join(''), second) + table(urls.slice(30).join(''), third),
      };
    },
    async attack(t) {
      for (const key of [testApp.key, 'second-key', 'third-key']) {
        t.server.own(await FeedReader.open(t.server, 'target', { key }));
      }
      const urls = inside(t.trap.port);
      const posts = (result) => t.grew('webhook_posts_total', { result });
      const tries = async () => (await posts('refused')) + (await posts('failed')) + (await posts('timeout'));
      // The log names a webhook and why it fails; of a host that is tried again there is no second line.
      const why = (i) => t.server.stderr.match(new RegExp(`/hook-${i} fails, [^:]*: (.*)$`, 'm'))?.[1];
      await until('each was tried', () => urls.every((_, i) => why(i)), 15_000).catch(() => {});
      const reasons = {};
      urls.forEach((host, i) => {
        const reason = why(i) ?? 'not tried';
        reasons[reason] = (reasons[reason] ?? 0) + 1;
        t.bar(kKeptOut.test(reason), `${host}: ${reason}`);
      });
      await until('each was tried again', async () => (await tries()) >= 2 * urls.length, 15_000)
        .catch(() => t.bar(false, 'not each was tried again'));
      await until('the redirect was met twice', async () => (await posts('status')) >= 2, 15_000).catch(() => t.bar(false, 'the redirect was not met'));
      const others = (await posts('ok')) + (Object.keys(reasons).some((reason) => kUnresolved.test(reason)) ? 0 : await posts('timeout'));
      t.bar(others === 0, `${others} POSTs were neither refused nor failed`);
      t.bar(t.trap.taken() === 0, `${t.trap.taken()} connections came`);
      return `${urls.length} of ${urls.length} kept out (${list(reasons)}), in ${await tries()} tries; ${t.trap.taken()} connections to the inside; ` +
        'the redirect was not followed';
    },
    cleanUp: (t) => {
      t.trap?.close();
      t.redirecting?.close();
    },
  },
];

function limited(bytes) {
  const server = `[server]\nbacklog_bytes = 0\nqueue_bytes = "32MiB"\nqueue_messages = 10000\nsocket_send_buffer = "16KiB"\nmax_http_body = "2MiB"\nwrite_timeout = "60s"\n`;
  return `${server}${bytes ? `memory_limit = ${bytes}\n` : ''}${table('max_event_bytes = "1MiB"')}`;
}

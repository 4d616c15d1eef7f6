// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows about WebSocket frames, bytes that are none, and readers that do not read.

import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from '../../system/support/deadline.mjs';
import { list, mib, MiB, sleep } from '../trial.mjs';

const app = (t) => `/app/${t.server.app.key}?protocol=7`;

/** Frames a second that the server took: of `bytes` each, in all that came since the attack began less `before`. */
async function taken(t, { frameBytes, seconds, before = 0 }) {
  const bytes = (await t.grew('bytes_received_total')) - before;
  return `${(bytes / frameBytes / seconds / 1e6).toFixed(2)} M/s`;
}

/**
 * That many messages of 10 KiB with priorities in turn, at most `rate` a second and no further ahead than `keepUp(published)` lets
 * it; the most that was owed meanwhile.
 */
async function feedSlowReaders(t, { channel, messages, rate, keepUp = async () => {} }) {
  const api = t.api();
  const priorities = ['low', 'normal', 'high', 'urgent'];
  const body = 'x'.repeat(10 * 1024 - 100);
  let owed = 0;
  const start = Date.now();
  for (let n = 0; n < messages; n++) {
    while ((n * 1000) / rate > Date.now() - start) await sleep(2);
    const { status } = await api.events({ name: 'e', channel, data: body, priority: priorities[n % 4] });
    t.bar(status === 200, `a publish was answered ${status}`);
    if (n % 10 !== 0) continue;
    owed = Math.max(owed, await t.server.metric('spillway_queued_bytes'));
    await keepUp(n);
  }
  api.close();
  return owed;
}

/** What n readers with queues of 1 MiB may be owed: how full a queue is is looked at before the message. */
const allowed = (n) => n * (MiB + 10 * 1024);

/** The server has read what was sent: no more than innocents and this question say comes in three times 20 ms. */
async function allTaken(t) {
  let before = 0;
  for (let still = 0; still < 3; ) {
    const bytes = await t.server.metric('spillway_bytes_received_total');
    still = bytes - before < 4096 ? still + 1 : 0;
    before = bytes;
    await sleep(20);
  }
}

/** A ring's completion queue (UringOptions). */
const kCompletions = '8,192';

export const frames = [
  {
    id: 'A3',
    name: 'readers that stop reading',
    load: (t) => `${t.n(200, 10)} of ${t.n(400, 20)} subscribers; ${t.n('100 a second of ', '')}800 messages of 10 KiB, each priority in turn`,
    server: () => ({ flags: ['--queue-bytes', '1MiB', '--queue-messages', '200', '--write-timeout', '60s'] }),
    async attack(t) {
      const n = t.n(200, 10);
      const target = `/feed/slow?key=${t.server.app.key}`;
      await t.tell('open', { n, target, paused: true, block: 20 });
      await t.tell('open', { n, target, block: 21 }, 1);
      await t.order('count', undefined, 1);
      const published = 800;
      // Those that read are not to be slow because their process has no processor.
      const keepUp = (sent) => until('the readers have most', async () => (await t.order('counted', undefined, 1)).least >= sent - 40, 10_000).catch(() => {});
      const owed = await feedSlowReaders(t, { channel: 'slow', messages: published, rate: t.n(100, 1e6), ...(t.quick && { keepUp }) });
      t.bar(owed <= allowed(n), `${mib(owed)} owed`);
      const dropped = {};
      for (const priority of ['low', 'normal', 'high']) dropped[priority] = await t.grew('dropped_total', { priority, reason: 'queue_threshold' });
      t.bar(Object.values(dropped).every((k) => k > 0) && dropped.low > dropped.normal && dropped.normal > dropped.high, `dropped ${list(dropped)}`);
      await until('a full queue closes', async () => (await t.grew('client_closes_total', { reason: 'queue_full' })) === n, 5000)
        .catch(() => t.bar(false, 'a full queue did not close each'));
      await until('the readers have all', async () => (await t.order('counted', undefined, 1)).least === published, 5000).catch(() => {});
      const { least, most } = await t.order('counted', undefined, 1);
      t.bar(least === published && most === published, `readers had ${least} to ${most} of ${published}`);
      for (const i of [0, 1]) await t.order('release', 'destroy', i);
      return `${published} messages; at most ${mib(owed)} owed; dropped ${list(dropped)}; ${n} closed with 4100 when full; those that read had all`;
    },
  },
  {
    id: 'A4',
    name: 'readers of 1 KiB a second',
    load: (t) => `${t.n(200, 10)}; ${t.n('100 a second of 800', '200')} messages of 10 KiB`,
    server: () => ({ flags: ['--queue-bytes', '1MiB', '--write-timeout', '60s'] }),
    async attack(t) {
      const n = t.n(200, 10);
      await t.tell('open', { n, target: `/feed/slow?key=${t.server.app.key}`, sip: 1024, block: 20 });
      await t.order('sipping', 1000);
      const published = t.n(800, 200);
      const owed = await feedSlowReaders(t, { channel: 'slow', messages: published, rate: t.n(100, 1e6) });
      t.bar(owed <= allowed(n), `${mib(owed)} owed`);
      const longer = (metrics) => metrics.sum('spillway_loop_lag_seconds_count') - metrics.sum('spillway_loop_lag_seconds_bucket', { le: '0.067108864' });
      const long = longer(await t.server.metrics()) - longer(t.before);
      t.timeBar(long === 0, `${long} turns were longer than 67 ms`);
      await t.order('release');
      return `${published} messages; at most ${mib(owed)} owed; ${await t.grew('dropped_total')} dropped, counted; ${long} turns over 67 ms`;
    },
  },
  {
    id: 'A5',
    name: 'ping flood',
    load: (t) => `${t.n(20, 4)} clients as fast as they can, half of them reading nothing until the end`,
    server: () => ({ flags: ['--write-timeout', '60s'] }),
    async attack(t) {
      const [half, seconds] = [t.n(10, 2), t.n(8, 0.6)];
      const deaf = await t.tell('pingersCome', { n: half, target: `/feed/deaf?key=${t.server.app.key}`, deaf: true });
      const others = await t.tell('pingersCome', { n: half, target: app(t) });
      t.bar(deaf === half && others === half, 'not all came');
      // Messages fill their sockets and wait, so that no pong gets away any more.
      const api = t.api();
      for (let n = 0; n < 120; n++) await api.publish('deaf', 'e', 'x'.repeat(9000));
      api.close();
      await t.server.untilMetric('spillway_queued_bytes', {}, (bytes) => bytes > half * 9000);
      const sent = await t.order('pingFlood', seconds * 1000);
      await allTaken(t);
      const { pongs, waited, behind, disordered, cut } = await t.order('pingersEnd');
      const grown = t.peak - t.calmBytes;
      t.bar(grown < 32 * MiB, `grew by ${mib(grown)}`);
      t.bar(cut === 0, `${cut} were cut`);
      t.bar(pongs >= 2 * half, `but ${pongs} pongs`);
      t.bar(behind === 0, `${behind} did not get the pong for their newest ping`);
      t.bar(disordered === 0, `${disordered} pongs out of order`);
      t.bar(waited <= 17, `${waited} pongs waited for one that read nothing`); // those being sent, and fifteen more with the newest
      return `${(sent / seconds / 1e6).toFixed(2)} M/s pings taken, ${pongs} pongs, each client's last for its newest ping; ` +
        `${waited} waited for one that read nothing, ${mib(grown)} more resident`;
    },
  },
  {
    id: 'A6',
    name: 'frame-length lies: announced giants',
    load: (t) => `${t.n(1000, 50)} each of 2^63, 2^62, 2^32+5, 16 MiB + 1 and, allowed there, 16 MiB`,
    server: () => ({ flags: ['--echo', '/echo', '--max-message', '16MiB'] }),
    async attack(t) {
      const n = t.n(1000, 50);
      const ends = {};
      const lies = { '2^63': 2n ** 63n, '2^62': 2n ** 62n, '2^32+5': 2n ** 32n + 5n, '16 MiB + 1': BigInt(16 * MiB + 1) };
      for (const [name, declare] of Object.entries(lies)) {
        const codes = await t.tell('announce', { n, target: name === '2^62' ? app(t) : '/echo', declare: String(declare) });
        t.bar(codes[name === '2^63' ? 1002 : 1009] === n, `${name}: ${list(codes)}`);
        for (const [code, k] of Object.entries(codes)) ends[code] = (ends[code] ?? 0) + k;
      }
      const allowed = await t.tell('announce', { n, target: '/echo', declare: String(16 * MiB), ms: t.n(2000, 300) });
      t.bar(allowed.stays === n, `16 MiB: ${list(allowed)}`);
      const grown = t.peak - t.calmBytes;
      t.bar(grown <= 64 * MiB, `grew by ${mib(grown)}`);
      return `closed with ${list(ends)}; the allowed cost no memory before they come; ${mib(grown)} more at the worst`;
    },
  },
  {
    id: 'A14',
    name: 'all come and speak while the server is stopped: more than its buffers and completion queue hold',
    load: (t) => `one core of 2,048 buffers and ${kCompletions} completions; ${t.n('4,000 clients by TCP and as many by a Unix socket', '600 clients')}, ` +
      `who have said ${t.n(16, 48)} KB before they are accepted; then ${t.n(4, 2)} times 16 KB from ${t.n('half of them', 'all')}`,
    before: (t) => (t.unixPath = path.join(tmpdir(), `spillway-attack-${process.pid}.sock`)),
    // One core, so that all come to the same ring; and the kernel holds 4,096 for each socket that is listened on.
    server: (t) => ({ cores: t.crew.pinned ? '0,' : '1', flags: ['--echo', '/echo', '--max-message', '64KiB', '--unix-socket', t.unixPath] }),
    p99: 'after',
    async attack(t) {
      const each = t.n(4000, 600);
      const ways = t.n([undefined, t.unixPath], [undefined]);
      const stopped = async (act) => {
        t.server.signal('SIGSTOP');
        await act();
        t.server.signal('SIGCONT');
        for (const i of ways.keys()) {
          const missing = await t.order('echoersDone', 20_000, i);
          t.bar(missing === 0, `${missing} echoes are missing`);
        }
      };
      await stopped(async () => {
        const came = await Promise.all(ways.map((path, i) => t.tell('echoersCome', { n: each, bytes: t.n(16_000, 48_000), path }, i)));
        t.bar(came.every((n) => n === each), `${list({ came })} of ${each}`);
      });
      for (let round = 0; round < t.n(4, 2); round++) await stopped(() => t.order('echoersSend', 16_000));
      for (const i of ways.keys()) await t.order('echoersLeave', undefined, i);
      const [starved, overflows] = [await t.grew('uring_no_buffers_total'), await t.grew('uring_overflows_total')];
      // No bar: receives are armed only while there are buffers for them, so that neither runs out. tests/sim and the ring's
      // contract have what happens when they do.
      return `all echoes came; ${starved} receives found no buffer, ${overflows} overflows of the completion queue`;
    },
  },
  {
    id: 'A15',
    name: 'firehose: messages of one byte',
    load: (t) => `one client on /app, then one on /feed, ${t.n(5, 0.4)} s each as fast as the server takes it`,
    async attack(t) {
      const seconds = t.n(5, 0.4);
      const figures = [];
      for (const target of [app(t), `/feed/hose?key=${t.server.app.key}`]) {
        const before = await t.grew('bytes_received_total');
        const { frameBytes, codes, answers } = await t.tell('flood', { what: 'oneByte', target, clients: 1, ms: seconds * 1000 });
        figures.push(`${await taken(t, { frameBytes, seconds, before })} messages taken, ${answers} answers, ends: ${list(codes)}`);
      }
      const grown = t.peak - t.calmBytes;
      t.bar(grown < 32 * MiB, `grew by ${mib(grown)}`);
      return figures.join('; ');
    },
  },
  {
    id: 'A21',
    name: 'random bytes and frames, raw and behind an upgrade',
    load: (t) => `${t.n(100_000, 400)} connections, 2 processes, seed 21`,
    server: () => ({ flags: ['--echo', '/echo'] }),
    async attack(t) {
      const each = t.n(50_000, 200);
      const ends = await Promise.all([0, 1].map((i) => t.tell('noise', { connections: each, seed: 21 + i, ms: t.n(40_000, 5000) }, i)));
      const [connections, hung] = ['connections', 'hung'].map((what) => ends.reduce((sum, end) => sum + end[what], 0));
      t.bar(hung === 0, `${hung} never ended`);
      t.bar(connections >= each, `only ${connections} connections in the time`);
      return `${connections} connections, each came to its end`;
    },
  },
  {
    id: 'A31',
    name: 'fragment flood: messages of one-byte fragments that never end',
    load: (t) => `${t.n(20, 4)} clients, back at once when closed`,
    async attack(t) {
      const seconds = t.n(6, 0.6);
      const { opened, codes } = await t.tell('flood', { what: 'fragments', target: app(t), clients: t.n(20, 4), ms: seconds * 1000 });
      t.bar((codes[1008] ?? 0) + (codes[1009] ?? 0) > 0, `ends: ${list(codes)}`);
      const grown = t.peak - t.calmBytes;
      t.bar(grown <= 32 * MiB, `grew by ${mib(grown)}`);
      return `${opened} connections, ${mib((await t.grew('bytes_received_total')) / seconds)}/s taken in; ends: ${list(codes)}`;
    },
  },
];

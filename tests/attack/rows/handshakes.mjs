// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows about connections: how they begin, how many there are, and how they end.

import { until } from '../../system/support/deadline.mjs';
import { FeedReader } from '../../system/support/clients.mjs';
import { list, mib, sleep } from '../trial.mjs';

const app = (trial) => `/app/${trial.server.app.key}?protocol=7`;

export const handshakes = [
  {
    id: 'A1',
    name: 'slowloris: nothing, a byte of a head now and then, a byte of a body now and then',
    load: (t) => `${t.n(2000, 60)} each; handshake timeout ${t.n('5 s', '1.5 s')}, read timeout ${t.n('8 s', '3 s')}`,
    server: (t) => ({ flags: ['--handshake-timeout', t.n('5s', '1500ms'), '--read-timeout', t.n('8s', '3s'), '--ping-interval', t.n('2s', '500ms'),
      '--pong-timeout', t.n('3s', '2s')] }),
    async attack(t) {
      const [head, whole] = [t.n(5000, 1500), t.n(8000, 3000)];
      const give = (what, i) => t.tell('drip', { n: t.n(2000, 60), pauseMs: t.n(2000, 100), what, ms: whole + t.n(3000, 6000), localAddress: `127.0.6.${i + 10}` }, i);
      const ends = await Promise.all(['nothing', 'head', 'body'].map(give));
      ends.forEach(({ left, longestMs }, i) => {
        t.bar(left === 0, `${left} are still there`);
        t.timeBar(longestMs <= (i === 2 ? whole : head) + 1000, `one lived ${longestMs} ms`);
      });
      const cut = ends.reduce((sum, e) => sum + e.connected, 0);
      const counted = () => t.grew('client_closes_total', { reason: 'handshake_timeout' });
      await until('each is counted', async () => (await counted()) === cut, 5000).catch(async () => t.bar(false, `${await counted()} of ${cut} cuts counted`));
      return `all cut and counted, the last after ${ends.map((e) => (e.longestMs / 1000).toFixed(2)).join(', ')} s`;
    },
  },
  {
    id: 'A2',
    name: 'half-open peers: opened WebSockets that never speak nor answer a ping',
    load: (t) => `${t.n(2000, 60)}; ping after ${t.n('3 s', '0.4 s')}, pong within 2 s`,
    server: (t) => ({ flags: ['--ping-interval', t.n('3s', '400ms'), '--pong-timeout', '2s', '--read-timeout', t.n('5s', '3s')] }),
    async attack(t) {
      const n = t.n(2000, 60);
      const { statuses } = await t.tell('open', { n, target: app(t), silent: true });
      const { codes, longestMs } = await t.order('untilEnded', t.n(8000, 6000));
      t.bar(codes[4201] === n, `closed: ${list(codes)}`);
      t.timeBar(longestMs <= 6000, `one lived ${longestMs} ms`);
      await until('each cut is counted', async () => (await t.grew('client_closes_total', { code: 4201 })) === n, 5000)
        .catch(() => t.bar(false, 'not each cut was counted'));
      await until('all are gone', async () => (await t.server.clients()) === t.innocentClients, 5000);
      await t.order('release');
      return `${list(statuses)}; all closed with 4201, the last after ${(longestMs / 1000).toFixed(2)} s`;
    },
  },
  {
    id: 'A7',
    name: 'descriptors run out',
    load: (t) => `limit ${t.n(512, 160)}, ${t.n(3000, 300)} connects`,
    server: (t) => ({ descriptorLimit: t.n(512, 160), flags: ['--max-clients', '0'] }),
    async attack(t) {
      const n = t.n(3000, 300);
      const { statuses } = await t.tell('open', { n, target: app(t) });
      t.bar(Object.keys(statuses).every((status) => ['101', '503'].includes(status)), `answers: ${list(statuses)}`);
      const span = t.n(2000, 300);
      const cpu = t.server.cpuSeconds();
      await sleep(span);
      const load = (t.server.cpuSeconds() - cpu) / (span / 1000) - t.calmLoad;
      t.timeBar(load < 0.1, `${(load * 100).toFixed(0)} % of a CPU while starved`);
      t.bar((await t.grew('refused_total', { reason: 'descriptors' })) === statuses[503], 'not each refusal was counted');
      await t.order('release');
      const start = Date.now();
      const one = await until('a new client is in', () => FeedReader.open(t.server, 'late').catch(() => null), 5000);
      const back = Date.now() - start;
      t.timeBar(back <= 1000, `${back} ms until a new client is in`);
      one.close();
      return `${list(statuses)}; ${(Math.max(0, load) * 100).toFixed(1)} % of a CPU more while starved; a new client after ${back} ms`;
    },
  },
  {
    id: 'A12',
    name: 'mass disconnect and instant return',
    load: (t) => `${t.n(10_000, 300)} clients killed at once, as many return`,
    async attack(t) {
      const half = t.n(5000, 150);
      const channel = 'herd';
      const herd = (i) => t.tell('herd', { n: half, channel, block: 10 + i }, i);
      const came = await Promise.all([0, 1].map(herd));
      t.bar(came.every(({ subscribed }) => subscribed === half), 'not all came');
      await Promise.all([2, 3].map((i) => t.order('count', undefined, i))); // they are there
      await Promise.all([0, 1].map((i) => t.fell(i)));
      const start = Date.now();
      const back = await Promise.all([2, 3].map(herd));
      t.bar(back.every(({ subscribed }) => subscribed === half), 'not all came back');
      await t.server.untilMetric('spillway_subscriptions', {}, 2 * half + t.innocentClients - 1, 10_000);
      const ms = Date.now() - start;
      t.timeBar(ms <= 10_000, `${ms} ms`);
      await Promise.all([2, 3].map((i) => t.order('release', 'destroy', i)));
      const tries = back.reduce((sum, { tries }) => sum + tries, 0);
      return `all subscribed again after ${(ms / 1000).toFixed(1)} s, with ${tries} connects`;
    },
  },
  {
    id: 'A13',
    name: 'connections of one address',
    load: (t) => `limit ${t.n(100, 10)}, ${t.n(1000, 100)} from one address`,
    server: (t) => ({ flags: ['--max-clients-per-ip', t.n('100', '10')] }),
    async attack(t) {
      const [limit, n] = [t.n(100, 10), t.n(1000, 100)];
      const { statuses } = await t.tell('open', { n, target: app(t), localAddress: '127.0.0.9' });
      t.bar(statuses[101] === limit && statuses[503] === n - limit, `answers: ${list(statuses)}`);
      t.bar((await t.grew('refused_total', { reason: 'max_clients_per_ip' })) === n - limit, 'not each refusal was counted');
      await t.order('release');
      return list(statuses);
    },
  },
  {
    id: 'A20',
    name: 'many: one message to all',
    load: (t) => `${t.n(10_000, 300)} Pusher clients on a channel`,
    async attack(t) {
      const half = t.n(5000, 150);
      const before = t.server.residentBytes();
      const came = await Promise.all([0, 1].map((i) => t.tell('herd', { n: half, channel: 'many', block: 10 + i }, i)));
      t.bar(came.every(({ subscribed }) => subscribed === half), 'not all came');
      const each = (t.server.residentBytes() - before) / (2 * half);
      const api = t.api();
      const start = Date.now();
      await api.publish('many', 'e', 'to all');
      const gathered = () => Promise.all([0, 1].map((i) => t.order('gathered', 1, i)));
      await until('all have it', async () => (await gathered()).every(({ right }) => right === half), 10_000).catch(() => {});
      await sleep(t.n(2000, 300)); // what comes twice comes later
      const got = await gathered();
      t.bar(got.every(({ wrong }) => wrong === 0), `${got.reduce((sum, g) => sum + g.wrong, 0)} did not get it once`);
      const ms = Math.max(...got.map(({ last }) => last)) - start;
      t.timeBar(ms <= 1000, `${ms} ms`);
      api.close();
      await Promise.all([0, 1].map((i) => t.order('release', 'destroy', i)));
      return `all had it once, the last after ${ms} ms; ${Math.max(0, Math.round(each))} bytes resident per client`;
    },
  },
  {
    id: 'A34',
    name: 'reset storm: connect and reset in every state of a connection',
    load: (t) => `100 at a time, ${t.n(8, 0.6)} s`,
    async attack(t) {
      const n = await t.tell('resets', { ms: t.n(8000, 600), channel: 'reset' });
      t.bar(n >= t.n(10_000, 200), `but ${n} connections`);
      await until('the subscriptions are back', async () => (await t.grew('subscriptions')) === 0, 10_000).catch(() => t.bar(false, 'subscriptions stay'));
      return `${n} connections, ${Math.round(n / t.n(8, 0.6))}/s; at the worst ${mib(t.peak - t.calmBytes)} more`;
    },
  },
];

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// tools/soak --minutes N: two servers lead an ordinary life, fast. One stays: its memory, descriptors and gauges are judged. The
// other is ended by SIGTERM and started anew on its port again and again. Both have visitors who come and go, slow readers,
// publishers and reloads, every fourth of a broken file; and innocents, who must lose nothing, on the one that stays.
//
//   --minutes N   how long (10)
//   --write FILE  the report as Markdown

import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { until } from '../system/support/deadline.mjs';
import { Server } from '../system/support/server.mjs';
import { Helper } from './helper.mjs';
import { table, testApp } from './rows/protocol.mjs';
import { list, mib, sleep } from './trial.mjs';
import { trendOf } from './trend.mjs';

const { values: flags } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, write: { type: 'string' } } });
const total = Number(flags.minutes) * 60;
// Tables and pools reach their largest within minutes: what grows behind that is a leak.
const warm = Math.max(5, Math.round(Math.min(total / 2, 300)));
const restEvery = Math.max(10, Math.round(total / 10));

const faults = [];
const bar = (holds, text) => holds || faults.push(text);
const load = { visitorsPerSecond: 100, slow: 20, publishesPerSecond: 100 };
const settings = (port) => `[server]\nport = ${port}\nqueue_bytes = "256KiB"\nping_interval = "5s"\n`;
const addressOf = ({ host, port, metricsPort, app }) => ({ host, port, metricsPort, app });

class Place {
  reloads = { taken: 0, refused: 0 };
  starts = 0;

  constructor(name, seed) {
    Object.assign(this, { name, seed, helper: new Helper() });
  }

  /** On the port it had before, if it had one. */
  async start() {
    const port = this.server?.port ?? 0;
    this.server = await until('the port is free', () => Server.start({
      cores: 2, app: testApp, toml: settings(port) + table('cache_ttl = "10s"'), drainMs: 5000,
      flags: ['--drain-timeout', '5s', ...(port ? ['--port', String(port)] : [])],
    }).catch((error) => (port ? null : Promise.reject(error))), 10_000);
    this.starts++;
  }

  async reload(n) {
    const broken = n % 4 === 3;
    await this.server.reload(settings(this.server.port) + table(`max_channels_per_client = ${100 + n}${broken ? '\nmax_clints = 1' : '\ncache_ttl = "10s"'}`),
      broken ? 'refused' : 'taken');
    this.reloads[broken ? 'refused' : 'taken']++;
  }

  /** Ends and begins again; who was there comes back by itself. */
  async restart() {
    const start = Date.now();
    await this.server.stop(); // insists on exit code 0 within the drain timeout
    const ms = Date.now() - start;
    await this.start();
    return ms;
  }
}

const stays = new Place('stays', 1);
const returns = new Place('returns', 2);
const innocents = new Helper();
const samples = [];
const rests = [];
const drains = [];

/** Everybody who visits has left: what the gauges say must be what is there. */
async function rest(calm) {
  await stays.helper.call('livePause', true);
  await until('the visitors left', async () => (await stays.helper.call('liveFigures')).open === 0, 15_000);
  const truth = { clients: 201, subscriptions: 200, channels: 1, queued_messages: 0, presence_members: 0 };
  const told = {};
  const agree = async () => {
    const metrics = await stays.server.metrics();
    for (const name of Object.keys(truth)) told[name] = metrics.sum(`spillway_${name}`);
    return Object.keys(truth).every((name) => told[name] === truth[name]) && stays.server.descriptors() <= calm.descriptors;
  };
  await until('the gauges agree', agree, 20_000).catch(() => bar(false, `gauges: ${list(told)}; there are ${list(truth)}`));
  const figures = { descriptors: stays.server.descriptors(), resident: stays.server.residentBytes() };
  bar(figures.descriptors <= calm.descriptors, `${figures.descriptors} descriptors at rest, ${calm.descriptors} at first`);
  rests.push(figures);
  await stays.helper.call('livePause', false);
}

async function run() {
  await stays.start();
  await returns.start();
  await innocents.call('innocentsStart', addressOf(stays.server), { readers: 200, rate: 20 });
  await sleep(500);
  const calm = { descriptors: stays.server.descriptors() + 5, resident: stays.server.residentBytes() }; // 5: the pool of the API, and who asks
  for (const place of [stays, returns]) await place.helper.call('liveStart', addressOf(place.server), { ...load, seed: place.seed });
  const start = Date.now();
  for (let second = 1; second <= total; second++) {
    await sleep(start + second * 1000 - Date.now());
    samples.push({ second, resident: stays.server.residentBytes(), descriptors: stays.server.descriptors() });
    if (second % 5 === 0) for (const place of [stays, returns]) await place.reload(second / 5);
    if (second % 20 === 10) drains.push(await returns.restart());
    if (second % restEvery === 0) await rest(calm);
  }
  const figures = await stays.helper.call('liveFigures');
  const returned = await returns.helper.call('liveFigures');
  await rest(calm);
  const service = await innocents.call('innocentsFinish');
  await innocents.call('innocentsLeave');
  for (const place of [stays, returns]) await place.helper.call('liveEnd');
  const metrics = await stays.server.metrics();
  const counters = {
    connections: metrics.sum('spillway_connections_total'), deliveries: metrics.sum('spillway_deliveries_total'),
    dropped: metrics.sum('spillway_dropped_total'), swept: metrics.sum('spillway_swept_total'), stalls: metrics.sum('spillway_loop_stalls_total'),
  };
  await stays.server.stop();
  drains.push(await returns.server.stop().then(() => 0));
  return { calm, figures, returned, service, counters };
}

function report({ calm, figures, returned, service, counters }) {
  const judged = samples.filter(({ second }) => second > warm);
  const { slope, error, flat } = trendOf(judged.map(({ resident }) => resident));
  bar(flat || slope < 0, `resident memory grows by ${mib(slope * 3600)} an hour`);
  bar(service.lost + service.doubled + service.disordered === 0, `innocents: ${service.lost} lost, ${service.doubled} doubled, ${service.disordered} out of order`);
  bar(Object.keys(service.cuts).length === 0, `innocents cut: ${list(service.cuts)}`);
  bar(counters.swept === 0, `${counters.swept} clients had lost their timer`);
  const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
  const resident = judged.map((sample) => sample.resident);
  return [
    `${new Date().toISOString().slice(0, 10)}, Linux ${os.release()}, ${os.cpus().length} x ${os.cpus()[0].model}: \`tools/soak --minutes ${flags.minutes}\`.`,
    '', '| what | figure |', '|---|---|',
    `| the server that stays | ${figures.visits} visits, ${figures.published} publications (${figures.refused} refused), ${counters.deliveries} deliveries, ${counters.dropped} dropped and counted, ${list(stays.reloads)} reloads |`,
    `| the server that is restarted | ${returns.starts - 1} restarts, each with exit code 0, after ${Math.min(...drains.slice(0, -1))} to ${Math.max(...drains)} ms; ${returned.visits} visits, ${returned.published} publications |`,
    `| innocents: 200 subscribers, 20 messages a second | ${service.deliveries} deliveries; ${service.lost} lost, ${service.doubled} doubled, ${service.disordered} out of order; p99 ${service.phases[0].p99} ms |`,
    `| resident memory | ${mib(calm.resident)} with the innocents; after ${warm} s of warm-up ${mib(Math.min(...resident))} to ${mib(Math.max(...resident))} |`,
    `| its slope after warm-up | ${kib(slope * 60)} a minute, standard error ${kib(error * 60)} (${judged.length} samples, autocorrelation allowed for): ${flat ? 'indistinguishable from zero' : slope < 0 ? 'it shrinks' : 'it grows'} |`,
    `| descriptors at rest | ${rests.map(({ descriptors }) => descriptors).join(', ')}; at most ${calm.descriptors} were due |`,
    `| resident at rest, KiB | ${rests.map((one) => Math.round(one.resident / 1024)).join(', ')} |`,
    `| gauges at rest, ${rests.length} times | ${faults.some((fault) => fault.startsWith('gauges')) ? 'not' : 'each'} equal to what was there: clients, subscriptions, channels, members, queued messages |`,
    `| exit codes | 0, ${returns.starts + 1} times |`,
    `| verdict | ${faults.length === 0 ? 'holds' : `fails: ${faults.join('; ')}`} |`, '',
  ].join('\n');
}

let text;
try {
  text = report(await run());
} catch (error) {
  faults.push(error.message);
  text = error.stack;
} finally {
  for (const helper of [stays.helper, returns.helper, innocents]) helper.kill();
  for (const place of [stays, returns]) place.server?.kill();
}
console.log(text);
if (flags.write) {
  writeFileSync(flags.write, `# Soak\n\n${text}`);
}
process.exit(faults.length === 0 ? 0 : 1);

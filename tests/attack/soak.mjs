// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// tools/soak --minutes N: two servers lead an ordinary life, fast. One stays: its memory, descriptors and gauges are judged. The
// other is ended by SIGTERM and started anew on its port again and again, and those who live there must all come back. Both have
// visitors who come and go, slow readers, publishers and reloads, every fourth of a broken file; and innocents, who must lose
// nothing, on the one that stays, which also tells a backend by webhook who comes and goes.
//
//   --minutes N   how long (10)
//   --write FILE  the report as Markdown

import { writeFileSync } from 'node:fs';
import http from 'node:http';
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
// The warm-up begins with a rush, more than ever comes again: tables, and the allocator's pages, reach their largest by the highest
// load there was, which ordinary life alone would take hours to come by. What grows behind that is a leak.
const warm = Math.max(5, Math.round(Math.min(total / 2, 300)));
const rush = { pace: 4, seconds: Math.round(warm * 0.6) };
const restEvery = Math.max(10, Math.round(total / 6));
// A slope that matters: an allocator's smallest block, 16 bytes, lost by every tenth visit. A run that could not have seen it
// proves nothing.
const mattersPerVisit = 16 / 10;

const faults = [];
const bar = (holds, text) => holds || faults.push(text);
const load = { visitorsPerSecond: 100, slow: 20, publishesPerSecond: 100 };
const residents = 100;
const settings = (port) => `[server]\nport = ${port}\nqueue_bytes = "256KiB"\nping_interval = "5s"\n`;
const cached = 'cache_ttl = "3s"';
const addressOf = ({ host, port, metricsPort, app }) => ({ host, port, metricsPort, app });
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;

/** Takes webhooks, and refuses every twentieth POST once. */
class Backend {
  posts = 0;
  events = 0;

  async start() {
    this.server = http.createServer(async (request, response) => {
      let text = '';
      for await (const piece of request.setEncoding('utf8')) text += piece;
      const taken = ++this.posts % 20 !== 0;
      if (taken) this.events += JSON.parse(text).events.length;
      response.writeHead(taken ? 200 : 500).end();
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.table = `[[app.webhook]]\nurl = "http://127.0.0.1:${this.server.address().port}/"\nallow_private_network = true\n`;
  }
}

class Place {
  reloads = { taken: 0, refused: 0 };
  starts = 0;
  backend = { table: '' };

  constructor(name, seed, truth) {
    Object.assign(this, { name, seed, truth, helper: new Helper() });
  }

  /** On the port it had before, if it had one. */
  async start() {
    const port = this.server?.port ?? 0;
    this.server = await until('the port is free', () => Server.start({
      cores: 2, app: testApp, toml: settings(port) + table(cached) + this.backend.table, drainMs: 5000,
      flags: ['--drain-timeout', '5s', ...(port ? ['--port', String(port)] : [])],
    }).catch((error) => (port ? null : Promise.reject(error))), 10_000);
    this.starts++;
  }

  async reload(n) {
    const broken = n % 4 === 3;
    const app = table(`max_channels_per_client = ${100 + n}\n${broken ? 'max_clints = 1' : cached}`);
    await this.server.reload(settings(this.server.port) + app + this.backend.table, broken ? 'refused' : 'taken');
    this.reloads[broken ? 'refused' : 'taken']++;
  }

  /** Ends and begins again; who lives there comes back by himself. */
  async restart() {
    const start = Date.now();
    await this.server.stop(); // insists on exit code 0 within the drain timeout
    const ms = Date.now() - start;
    await this.start();
    await this.untilAllAreHere().catch((error) => bar(false, error.message));
    return ms;
  }

  async untilAllAreHere() {
    let here;
    await until(() => `all who live there are back (${here} of ${this.truth.residents})`,
      async () => (here = (await this.helper.call('liveFigures')).here) === this.truth.residents, 10_000);
  }

  /** Everybody who visits has left: what the gauges say must be what is there. They do not come again after the `last` one. */
  async rest({ last = false } = {}) {
    await this.helper.call('livePause', true);
    await until('the visitors left', async () => (await this.helper.call('liveFigures')).open === 0, 15_000);
    let wrong;
    const agree = async () => {
      const metrics = await this.server.metrics();
      const descriptors = this.server.descriptors();
      wrong = Object.entries(this.truth.gauges).flatMap(([name, due]) => {
        const [, family, label, value] = name.match(/^(\w+)(?:\{(\w+)=(\w+)\})?$/);
        const told = metrics.sum(`spillway_${family}`, label ? { [label]: value } : {});
        return (typeof due === 'number' ? told === due : told <= due.most) ? [] : [`${name} ${told}, not ${typeof due === 'number' ? due : `below ${due.most}`}`];
      });
      if (descriptors > this.truth.descriptors) wrong.push(`${descriptors} descriptors, ${this.truth.descriptors} at first`);
      return wrong.length === 0;
    };
    await until('the gauges agree', agree, 20_000).catch(() => bar(false, `${this.name} at rest: ${wrong.join(', ')}`));
    const figures = { descriptors: this.server.descriptors(), resident: this.server.residentBytes() };
    if (!last) await this.helper.call('livePause', false);
    return figures;
  }
}

/** What the gauges must say when only those are there who stay, each subscribed to one channel. */
const truthOf = ({ subscribers, publishers, inhabitants }) => ({
  residents: inhabitants,
  gauges: {
    clients: subscribers + publishers, subscriptions: subscribers, channels: 1, presence_members: 0, cached_events: 0, stale_clients: 0,
    messages_held: 0, messages_held_bytes: 0, queued_messages: 0, queued_bytes: 0, uring_zc_held: 0,
    'http_connections{port=main}': { most: 4 }, 'http_connections{port=metrics}': 1, memory_stage: 0,
    'memory_bytes{kind=cache}': 0, 'memory_bytes{kind=sockets_estimate}': 0,
    // What is kept for reuse goes when nobody needs it.
    'memory_bytes{kind=frames}': { most: 65_536 }, 'memory_bytes{kind=queues}': { most: 65_536 },
  },
});

const stays = new Place('the server that stays', 1, truthOf({ subscribers: 200, publishers: 1, inhabitants: 0 }));
const returns = new Place('the server that is restarted', 2, truthOf({ subscribers: residents, publishers: 0, inhabitants: residents }));
const innocents = new Helper();
const backend = new Backend();
const samples = [];
const rests = [];
const drains = [];

/** A sample a second, from both sides of what else is done, but none of the rests: a line has one kind of points. */
function sampling() {
  const start = Date.now();
  const resting = { now: false };
  const timer = setInterval(() => {
    if (resting.now) return;
    samples.push({ second: (Date.now() - start) / 1000, resident: stays.server.residentBytes(), own: stays.server.ownResidentBytes() });
  }, 1000);
  return { resting, end: () => clearInterval(timer) };
}

async function run() {
  await backend.start();
  stays.backend = backend;
  Object.assign(stays.truth.gauges, { webhooks_queued: 0, webhooks_queued_bytes: 0, webhooks_held: 0 });
  await stays.start();
  await returns.start();
  await innocents.call('innocentsStart', addressOf(stays.server), { readers: 200, rate: 20 });
  await sleep(500);
  const calm = { resident: stays.server.residentBytes() };
  stays.truth.descriptors = stays.server.descriptors() + 4 + 1 + 8; // the pool of the API, who asks, and kept connections to the backend
  returns.truth.descriptors = returns.server.descriptors() + residents + 4 + 1;
  for (const place of [stays, returns])
    await place.helper.call('liveStart', addressOf(place.server), { ...load, residents: place.truth.residents, seed: place.seed });
  await returns.untilAllAreHere();
  await stays.helper.call('livePace', rush.pace);
  const { resting, end } = sampling();
  const start = Date.now();
  for (let second = 1; second <= total; second++) {
    await sleep(start + second * 1000 - Date.now());
    if (second === rush.seconds) await stays.helper.call('livePace', 1);
    if (second % 5 === 0) for (const place of [stays, returns]) await place.reload(second / 5);
    if (second % 20 === 10) drains.push(await returns.restart());
    if (second % restEvery === 0) {
      resting.now = true;
      rests.push(await stays.rest());
      resting.now = false;
    }
  }
  end();
  rests.push(await stays.rest({ last: true }));
  await returns.rest({ last: true });
  const figures = await stays.helper.call('liveFigures');
  const returned = await returns.helper.call('liveFigures');
  const metrics = await stays.server.metrics();
  const counters = {
    told: backend.events,
    deliveries: metrics.sum('spillway_deliveries_total'), dropped: metrics.sum('spillway_dropped_total'),
    swept: metrics.sum('spillway_swept_total'), webhooks: metrics.sum('spillway_webhooks_total', { result: 'delivered' }),
  };
  const service = await innocents.call('innocentsFinish');
  await innocents.call('innocentsLeave');
  for (const place of [stays, returns]) await place.helper.call('liveEnd');
  await stays.server.stop();
  drains.push(await returns.server.stop().then(() => 0));
  return { calm, figures, returned, service, counters };
}

/** That what was to be lived through was, and that nobody lost by it. */
function judge({ figures, returned, service, counters }) {
  for (const [name, { visits, published, refused }] of [[stays.name, figures], [returns.name, returned]]) {
    bar(visits >= total * 50, `${name}: only ${visits} visits`);
    bar(published >= total * 50, `${name}: only ${published} publications`);
    if (name === stays.name) bar(refused === 0, `${name}: ${refused} publications refused`);
  }
  const restarts = returns.starts - 1;
  bar(total < 10 || restarts > 0, 'no restarts');
  bar(returned.returns.every((times) => times === restarts), `residents returned ${Math.min(...returned.returns)} to ${Math.max(...returned.returns)} times from ${restarts} restarts`);
  for (const { name, reloads } of [stays, returns]) bar(reloads.taken > 0 && (total < 15 || reloads.refused > 0), `${name}: reloads ${list(reloads)}`);
  bar(counters.dropped > 0, 'nobody was too slow');
  bar(counters.told > 0 && counters.told === counters.webhooks, `the backend had ${counters.told} events, the server delivered ${counters.webhooks}`);
  bar(service.sent > 0 && service.deliveries > 0, 'innocents had nothing');
  bar(service.lost + service.doubled + service.disordered === 0, `innocents: ${service.lost} lost, ${service.doubled} doubled, ${service.disordered} out of order`);
  bar(Object.keys(service.cuts).length === 0, `innocents cut: ${list(service.cuts)}`);
  bar(counters.swept === 0, `${counters.swept} clients had lost their timer`);
}

const words = { flat: 'indistinguishable from zero', grows: 'it grows', shrinks: 'it shrinks', undecided: 'undecided' };

/** The line of one figure's slope, judged. */
function slopeOf(name, judged, figure, visitsAMinute) {
  const matters = (mattersPerVisit * visitsAMinute) / 60;
  const { slope, error, seen, verdict } = trendOf(judged.map((sample) => sample[figure]), { matters });
  bar(verdict !== 'grows', `${name} grows by ${kib(slope * 60)} a minute`);
  bar(verdict !== 'undecided', `${name}: growth of ${kib(seen * 60)} a minute could not have been seen, ${kib(matters * 60)} matters`);
  return `${kib(slope * 60)} a minute, standard error ${kib(error * 60)} (${judged.length} samples, autocorrelation allowed for): ${words[verdict]}; ` +
    `${kib(seen * 60)} would have been seen, which is ${((seen * 60) / visitsAMinute).toFixed(1)} bytes a visit`;
}

function report(lived) {
  judge(lived);
  const { calm, figures, returned, service, counters } = lived;
  const judged = samples.filter(({ second }) => second > warm);
  const visitsAMinute = load.visitorsPerSecond * 60;
  const span = (figure) => `${mib(Math.min(...judged.map((one) => one[figure])))} to ${mib(Math.max(...judged.map((one) => one[figure])))}`;
  const [slope, own] = [slopeOf('resident memory', judged, 'resident', visitsAMinute), slopeOf('resident memory of no file', judged, 'own', visitsAMinute)];
  return [
    `${new Date().toISOString().slice(0, 10)}, Linux ${os.release()}, ${os.cpus().length} x ${os.cpus()[0].model}: \`tools/soak --minutes ${flags.minutes}\`.`,
    '', '| what | figure |', '|---|---|',
    `| the server that stays | ${figures.visits} visits, ${figures.published} publications (${figures.refused} refused), ${counters.deliveries} deliveries, ${counters.dropped} dropped and counted, ${list(stays.reloads)} reloads |`,
    `| the server that is restarted | ${returns.starts - 1} restarts, each with exit code 0, after ${Math.min(...drains.slice(0, -1))} to ${Math.max(...drains)} ms; ${returned.visits} visits, ${returned.published} publications |`,
    `| who lives there: ${residents} subscribers | each came back ${Math.min(...returned.returns)} times |`,
    `| innocents: 200 subscribers, 20 messages a second | ${service.deliveries} deliveries; ${service.lost} lost, ${service.doubled} doubled, ${service.disordered} out of order; p99 ${service.phases[0].p99} ms |`,
    `| webhooks | ${counters.told} events arrived, ${counters.webhooks} count as delivered; every twentieth post was refused and came again |`,
    `| resident memory | ${mib(calm.resident)} with the innocents; under load after ${warm} s of warm-up, ${rush.seconds} of them at ${rush.pace} times the pace, ${span('resident')} |`,
    `| its slope after warm-up | ${slope} |`,
    `| the slope of what no file holds | ${own} |`,
    `| descriptors at rest | ${rests.map(({ descriptors }) => descriptors).join(', ')}; at most ${stays.truth.descriptors} were due |`,
    `| resident at rest, KiB | ${rests.map((one) => Math.round(one.resident / 1024)).join(', ')} |`,
    `| gauges at rest, ${rests.length} times, and once of the other | ${faults.some((fault) => fault.includes(' at rest: ')) ? 'not' : 'each'} what was there: ${Object.keys(stays.truth.gauges).join(', ')} |`,
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

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One row of the scorecard: a server, innocents before, during and after, the attack, and the bars that hold for every row:
// nothing lost, doubled or out of order for the innocents, their p99 at most 20 ms or three times its calm value, the same
// process, descriptors and memory back within ten seconds.

import { availableParallelism } from 'node:os';
import { Api } from '../system/support/api.mjs';
import { residencyTells, until } from '../system/support/deadline.mjs';
import { Server } from '../system/support/server.mjs';
import { Helper } from './helper.mjs';

export const MiB = 1024 * 1024;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const mib = (bytes) => `${(bytes / MiB).toFixed(1)} MiB`;
export const list = (counts) => Object.entries(counts).map(([what, n]) => `${n} x ${what}`).join(', ') || 'none';

/** The processes that attack and the one of the innocents; with CPUs of their own where there are four. */
export class Crew {
  #helpers = new Map();

  /** `timed`: there are bars of time. */
  constructor({ quick, timed }) {
    this.quick = quick;
    this.timed = timed;
    this.pinned = !quick && availableParallelism() >= 4;
  }

  get cores() {
    return this.pinned ? '0,1' : '2';
  }
  get innocents() {
    return this.#helper('innocents', 2);
  }
  attacker(i = 0) {
    return this.#helper(i, 3);
  }
  #helper(name, cpu) {
    if (!this.#helpers.has(name)) this.#helpers.set(name, new Helper(this.pinned ? cpu : undefined));
    return this.#helpers.get(name);
  }
  /** The sudden end of an attacker: all of its connections are reset by the kernel. */
  fell(i) {
    this.attacker(i).kill();
    this.#helpers.delete(i);
  }
  end() {
    for (const helper of this.#helpers.values()) helper.kill();
    this.#helpers.clear();
  }
}

export class Trial {
  faults = [];
  peak = 0; // of resident memory, from the attack on

  constructor(row, crew) {
    this.row = row;
    this.crew = crew;
    this.quick = crew.quick;
  }

  /** The size of something: in the full run, and in the quick one. */
  n(full, quick) {
    return this.quick ? quick : full;
  }

  /** A bar: what it says goes into the verdict when it does not hold. */
  bar(holds, text) {
    if (!holds) this.faults.push(text);
  }

  get address() {
    const { host, port, metricsPort, app } = this.server;
    return { host, port, metricsPort, app };
  }
  /** Tells an attacker to do something to the server; the first one unless `on` says which. */
  tell(name, options, on = 0) {
    return this.crew.attacker(on).call(name, this.address, options);
  }
  /** The same for what knows its server already. */
  order(name, value, on = 0) {
    return this.crew.attacker(on).call(name, value);
  }

  /** A bar of time, which a machine that others use cannot be held to. */
  timeBar(holds, text) {
    if (this.crew.timed) this.bar(holds, text);
  }

  /** How much a counter grew since the attack began. */
  async grew(name, labels = {}) {
    return (await this.server.metric(`spillway_${name}`, labels)) - this.before.sum(`spillway_${name}`, labels);
  }
  api() {
    return new Api(this.server, { connections: 1 });
  }

  async #start() {
    const { flags = [], ...settings } = this.row.server?.(this) ?? {};
    const drainMs = this.row.drainMs ?? 5000;
    const common = ['--cores', this.crew.cores, '--drain-timeout', `${drainMs}ms`];
    this.server = await Server.start({ ...settings, flags: [...common, ...flags], drainMs });
    this.pid = this.server.pid;
    const readers = this.n(200, 20);
    this.innocentClients = readers + 1;
    await this.crew.innocents.call('innocentsStart', this.address, { readers, ...this.row.innocents });
    await this.#warm();
  }

  /** What is used for the first time is kept, receive buffers above all: that is no leak, so it is used before the calm. */
  async #warm() {
    if (this.quick) return; // whose bar of memory is wider instead
    await this.tell('open', { n: 500, target: `/app/${this.server.app.key}?protocol=7` });
    await this.order('release');
    await this.tell('subscribeFlood', { clients: 20, channels: 200, ms: 500 });
    await this.server.untilClients(this.innocentClients);
  }

  async #calm() {
    await sleep(this.n(2000, 250));
    this.before = await this.server.metrics();
    this.calmDescriptors = this.server.descriptors();
    this.calmBytes = this.server.residentBytes();
    const cpu = this.server.cpuSeconds();
    await sleep(this.n(1000, 100));
    this.calmLoad = (this.server.cpuSeconds() - cpu) / this.n(1, 0.1);
    this.sampling = setInterval(() => this.server.exit || (this.peak = Math.max(this.peak, this.server.residentBytes())), 50);
  }

  async #after() {
    const end = Date.now() + 10_000;
    const back = () => this.server.descriptors() <= this.calmDescriptors + 5 &&
      (!residencyTells || this.server.residentBytes() <= this.calmBytes + this.n(16, 32) * MiB);
    await until('back', async () => back() && (await this.server.clients()) === this.innocentClients, 10_000).catch(() => {});
    this.bar((await this.server.clients()) === this.innocentClients, `${await this.server.clients()} clients stay`);
    this.bar(this.server.descriptors() <= this.calmDescriptors + 5, `${this.server.descriptors()} descriptors, ${this.calmDescriptors} before`);
    if (residencyTells) this.bar(back(), `${mib(this.server.residentBytes())} resident, ${mib(this.calmBytes)} before`);
    this.backMs = Math.max(0, 10_000 - (end - Date.now()));
    await sleep(this.n(5000, 200));
  }

  #judge(innocents) {
    const { phases } = innocents;
    this.bar(innocents.lost === 0, `${innocents.lost} lost`);
    this.bar(innocents.doubled === 0, `${innocents.doubled} doubled`);
    this.bar(innocents.disordered === 0, `${innocents.disordered} out of order`);
    if (!this.row.ends) this.bar(Object.keys(innocents.cuts).length === 0, `innocents cut: ${list(innocents.cuts)}`);
    if (!this.crew.timed) return;
    const most = Math.max(20, 3 * phases[0].p99);
    const judged = { during: [['during', phases[1]], ['after', phases[2]]], after: [['after', phases[2]]], none: [] };
    for (const [when, phase] of judged[this.row.p99 ?? 'during']) {
      if (phase.count > 0) this.bar(phase.p99 <= most, `p99 ${when} ${phase.p99} ms, ${most.toFixed(1)} allowed`);
    }
  }

  async #play() {
    await this.row.before?.(this);
    await this.#start();
    await this.#calm();
    await this.crew.innocents.call('innocentsEnter', 1);
    this.result = await this.row.attack(this);
    await this.crew.innocents.call('innocentsEnter', 2);
    if (!this.row.ends) {
      this.bar(this.server.exit === null && this.server.pid === this.pid, 'the process ended');
      this.server.closeClients();
      await this.#after();
    }
    const innocents = await this.crew.innocents.call('innocentsFinish');
    this.#judge(innocents);
    this.innocents = innocents;
    this.endBytes = this.server.exit ? 0 : this.server.residentBytes();
    await this.crew.innocents.call('innocentsLeave');
    clearInterval(this.sampling);
    if (!this.row.ends) await this.server.stop();
  }

  /** Plays it: {id, attack, load, result, verdict}, verdict being "holds", "skipped: why" or "fails: what". */
  async run() {
    const { row } = this;
    const line = { id: row.id, attack: row.name, load: row.load?.(this) ?? '', timed: this.crew.timed };
    const why = await row.skipped?.(this);
    if (why) return { ...line, result: '', verdict: why };
    try {
      if (row.alone) this.result = await row.alone(this);
      else await this.#play();
    } catch (error) {
      this.faults.push(error.message.split('\n')[0]);
      this.story = `${error.stack}${this.server?.story() ?? ''}`;
      await this.crew.innocents.call('innocentsLeave').catch(() => {});
    } finally {
      clearInterval(this.sampling);
      await row.cleanUp?.(this);
      this.server?.kill();
      if (this.faults.length > 0) this.crew.end(); // whatever they still do
    }
    const { innocents } = this;
    if (innocents) {
      line.p99 = innocents.phases.slice(0, 3).map((phase) => (phase.count > 0 ? phase.p99 : null));
      line.worst = innocents.phases[1].max;
      line.deliveries = innocents.deliveries;
      line.grown = this.endBytes === 0 ? null : this.endBytes - this.calmBytes;
    }
    return { ...line, result: this.result ?? '', verdict: this.faults.length === 0 ? 'holds' : `fails: ${this.faults.join('; ')}`, story: this.story };
  }
}

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One row of the scorecard: a server, innocents before, during and after, the attack, and the bars that hold for every row:
// nothing lost, doubled, refused or out of order for the innocents, their p99 at most 20 ms or three times its calm value, the
// same process, descriptors and memory back within ten seconds, every connection counted, and its end.

import { availableParallelism } from 'node:os';
import { Api } from '../system/support/api.mjs';
import { residencyTells, until } from '../system/support/deadline.mjs';
import { Server } from '../system/support/server.mjs';
import { miscounted } from './counts.mjs';
import { Helper } from './helper.mjs';
import * as here from './ledger.mjs';

export const MiB = 1024 * 1024;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const mib = (bytes) => `${(bytes / MiB).toFixed(1)} MiB`;
export const list = (counts) => Object.entries(counts).map(([what, n]) => `${n} x ${what}`).join(', ') || 'none';
const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

/** What the innocents' messages belong to; the warm-up is not judged. */
const phase = { warmUp: 0, calm: 1, during: 2, after: 3 };
/** A p99 of fewer messages says nothing. */
const kMessagesMin = 10;

/** The processes that attack and the one of the innocents; with CPUs of their own where there are four. */
export class Crew {
  #helpers = new Map();
  #fallen = [];

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
  /** The sudden end of an attacker, who did this at these places: all of its connections are reset by the kernel. */
  async fell(i, places) {
    this.#fallen.push(await this.attacker(i).call('ledger', places));
    this.attacker(i).kill();
    this.#helpers.delete(i);
  }

  /** From now on, what is done at these places is noted anew. */
  async forget(places) {
    this.#fallen = [];
    here.forget(places);
    await Promise.all([...this.#helpers.values()].map((helper) => helper.call('forget', places)));
  }
  /** What all of them, and this process, did and saw at these places. */
  async ledger(places) {
    const theirs = await Promise.all([...this.#helpers.values()].map((helper) => helper.call('ledger', places)));
    return here.sum([...theirs, ...this.#fallen, here.ledger(places)]);
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

  /** Where the server is reached. */
  get places() {
    return [this.server.port, this.server.metricsPort, ...(this.unixPath ? [this.unixPath] : [])];
  }
  fell(i) {
    return this.crew.fell(i, this.places);
  }

  async #start() {
    const { flags = [], cores = this.crew.cores, ...settings } = this.row.server?.(this) ?? {};
    const drainMs = this.row.drainMs ?? 5000;
    const common = ['--cores', cores, '--drain-timeout', `${drainMs}ms`];
    this.server = await Server.start({ ...settings, flags: [...common, ...flags], drainMs });
    this.pid = this.server.pid;
    await this.crew.forget(this.places);
    this.readers = this.n(200, 20);
    this.innocentClients = this.readers + 1;
    await this.crew.innocents.call('innocentsStart', this.address, { readers: this.readers, ...this.row.innocents });
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
    await sleep(this.n(500, 50)); // what the warm-up left to do is done
    await this.crew.innocents.call('innocentsEnter', phase.calm);
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

  /** Every connection, and every end; nobody publishes any more, the innocents are still there. */
  async #count() {
    let wrong = ['the server does not say what it counted'];
    const agrees = async () => {
      const metrics = await this.server.metrics();
      wrong = miscounted({ metrics, before: this.before, ledger: await this.crew.ledger(this.places) });
      return wrong.length === 0;
    };
    await until('the counts agree', agrees, 10_000).catch(() => {});
    for (const text of wrong) this.bar(false, text);
  }

  #judge(innocents) {
    const { phases, refused } = innocents;
    this.bar(innocents.lost === 0, `${innocents.lost} lost`);
    this.bar(innocents.doubled === 0, `${innocents.doubled} doubled`);
    this.bar(innocents.disordered === 0, `${innocents.disordered} out of order`);
    if (!this.row.mayRefuse) this.bar(total(refused) === 0, `publications of innocents refused: ${list(refused)}`);
    if (!this.row.ends) this.bar(Object.keys(innocents.cuts).length === 0, `innocents cut: ${list(innocents.cuts)}`);
    this.bar(innocents.short === 0, `${innocents.short} messages that were published before are missing at those who were cut`);
    if (this.quick) return;
    const judged = { during: ['calm', 'during', 'after'], after: ['calm', 'after'], none: [] }[this.row.p99 ?? 'during'];
    const most = Math.max(20, 3 * phases[phase.calm].p99);
    for (const when of judged) {
      const { count, p99 } = phases[phase[when]];
      this.bar(count >= kMessagesMin * this.readers, `the innocents had but ${Math.round(count / this.readers)} messages ${when}`);
      if (when !== 'calm') this.timeBar(p99 <= most, `p99 ${when} ${p99} ms, ${most.toFixed(1)} allowed`);
    }
  }

  async #play() {
    await this.row.before?.(this);
    await this.#start();
    await this.#calm();
    await this.crew.innocents.call('innocentsEnter', phase.during);
    this.result = await this.row.attack(this);
    await this.crew.innocents.call('innocentsEnter', phase.after);
    if (!this.row.ends) {
      this.bar(this.server.exit === null && this.server.pid === this.pid, 'the process ended');
      this.server.closeClients();
      await this.#after();
    }
    const innocents = await this.crew.innocents.call('innocentsFinish');
    if (!this.row.ends) await this.#count();
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
      line.p99 = ['calm', 'during', 'after'].map((when) => innocents.phases[phase[when]]).map(({ count, p99 }) => (count > 0 ? p99 : null));
      line.worst = innocents.phases[phase.during].max;
      line.deliveries = innocents.deliveries;
      if (this.row.mayRefuse) this.result += `; of the innocents' ${innocents.sent} messages ${total(innocents.refused)} were refused (${list(innocents.refused)})`;
      line.grown = this.endBytes === 0 ? null : this.endBytes - this.calmBytes;
    }
    return { ...line, result: this.result ?? '', verdict: this.faults.length === 0 ? 'holds' : `fails: ${this.faults.join('; ')}`, story: this.story };
  }
}

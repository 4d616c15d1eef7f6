// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Those who do nothing wrong: subscribers of one channel, half of them Pusher clients, half feeds, and a publisher with a
// fixed rate. Each message carries its number, when it was due and in which phase; latency is counted from when it was due, so
// a publisher that is held up forgets nothing.

import { performance } from 'node:perf_hooks';
import { signedTarget } from '../system/support/api.mjs';
import { until } from '../system/support/deadline.mjs';
import { frame, op } from '../system/support/frame_client.mjs';
import { LightClient, many } from './light_client.mjs';

const kBucketUs = 100;
const kBuckets = 100_000; // to ten seconds

class Histogram {
  buckets = new Uint32Array(kBuckets);
  count = 0;
  max = 0;

  add(us) {
    this.buckets[Math.min(kBuckets - 1, Math.max(0, Math.floor(us / kBucketUs)))]++;
    this.count++;
    if (us > this.max) this.max = us;
  }

  /** Milliseconds below which `share` of them are. */
  quantile(share) {
    let rest = Math.ceil(this.count * share);
    for (let i = 0; i < kBuckets; i++) if ((rest -= this.buckets[i]) <= 0) return ((i + 1) * kBucketUs) / 1000;
    return 0;
  }

  summary() {
    return { count: this.count, p50: this.quantile(0.5), p99: this.quantile(0.99), max: this.max / 1000 };
  }
}

class Reader {
  next = 0; // the number that is due
  missed = 0;
  doubled = 0;
  disordered = 0;
  gone = new Set(); // numbers that were missed

  constructor(owner, client) {
    this.owner = owner;
    this.client = client;
    client.onMessage = (payload) => this.#take(payload);
    client.onEnd = () => owner.left(client);
  }

  #take(payload) {
    const at = payload.indexOf(35); // '#'
    if (at < 0) return this.owner.word(payload);
    const n = Number(payload.latin1Slice(at + 1, at + 11));
    const phase = payload[at + 12] - 48;
    const due = Number(payload.latin1Slice(at + 14, at + 30));
    this.owner.phases[phase].add(performance.now() * 1000 - due);
    if (n === this.next) this.next++;
    else if (n > this.next) {
      for (let i = this.next; i < n; i++) this.gone.add(i);
      this.next = n + 1;
    } else if (this.gone.delete(n)) this.disordered++;
    else this.doubled++;
  }
}

export class Innocents {
  phases = Array.from({ length: 4 }, () => new Histogram());
  readers = [];
  sent = 0;
  refused = {}; // publications, by the code of the error
  cuts = {};
  #marked = 0;
  #phase = 0;
  #joined = 0;
  #over = false;

  constructor(server, { readers = 200, rate = 50, bytes = 200, speakMs = 0 } = {}) {
    Object.assign(this, { server, wanted: readers, rate, bytes, speakMs });
  }

  async start() {
    const { app } = this.server;
    const clients = await many(this.wanted, 50, (i) => {
      const target = i % 2 ? `/feed/innocent?key=${app.key}` : `/app/${app.key}?protocol=7`;
      const client = new LightClient(this.server, target, { localAddress: `127.0.0.${1 + (i % 4)}` });
      this.readers.push(new Reader(this, client));
      if (i % 2 === 0) client.answer.then(() => client.send({ event: 'pusher:subscribe', data: { channel: 'innocent' } }));
      return client;
    });
    const refused = clients.filter((client) => client.status !== 101);
    if (refused.length > 0) throw new Error(`${refused.length} innocents were refused with ${refused[0].status}`);
    await until('the innocents are subscribed', () => this.#joined === Math.ceil(this.wanted / 2), 10_000);
    const target = signedTarget(app, { method: 'GET', path: `/apps/${app.id}/publish` });
    this.publisher = new LightClient(this.server, target);
    this.publisher.onMessage = (payload) => this.#answered(payload.toString());
    this.publisher.onEnd = () => this.left(this.publisher);
    if ((await this.publisher.answer) !== 101) throw new Error(`the publisher was refused with ${this.publisher.status}`);
    this.started = performance.now();
    this.timer = setInterval(() => this.#publishDue(), 2);
    if (this.speakMs > 0) this.speaking = setInterval(() => this.#speak(), this.speakMs);
  }

  #answered(text) {
    if (!text.includes('"error"')) return;
    const why = JSON.parse(text).error;
    this.refused[why] = (this.refused[why] ?? 0) + 1;
  }

  /** A message that is not the publisher's. */
  word(payload) {
    if (payload.includes('pusher_internal:subscription_succeeded')) this.#joined++;
  }

  left(client) {
    if (this.#over) return;
    const code = client.closeCode ?? (client.torn ? 'torn' : 'none');
    this.cuts[code] = (this.cuts[code] ?? 0) + 1;
  }

  #publishDue() {
    const now = performance.now();
    for (; this.started + (this.sent * 1000) / this.rate <= now; this.sent++) {
      const due = Math.round((this.started + (this.sent * 1000) / this.rate) * 1000);
      const head = `#${String(this.sent).padStart(10, '0')} ${this.#phase} ${String(due).padStart(16, '0')} `;
      this.publisher.send({ name: 'm', channel: 'innocent', data: head.padEnd(this.bytes, 'x') });
    }
  }

  #speak() {
    for (const { client } of this.readers) client.write(frame(op.ping, 'on', { mask: Buffer.alloc(4) }));
  }

  /** What somebody has now was published before: who is cut from now on must have had it. Returns how many messages those are. */
  mark() {
    return (this.#marked = Math.max(...this.readers.map((reader) => reader.next)));
  }

  /** What is published from now on belongs to phase n. */
  enter(n) {
    this.#phase = n;
  }

  /** No more is published. What they have when all has arrived, or five seconds later. */
  async finish() {
    clearInterval(this.timer);
    clearInterval(this.speaking);
    const all = () => this.readers.every((r) => r.client.ended || r.next >= this.sent);
    await until('all is there', all, 5000).catch(() => {});
    const staying = this.readers.filter((r) => !r.client.ended);
    const refused = Object.values(this.refused).reduce((sum, n) => sum + n, 0);
    let [lost, short, doubled, disordered] = [0, 0, 0, 0];
    for (const reader of staying) {
      // A publication that was refused is nobody's message.
      lost += Math.max(0, reader.gone.size + (this.sent - reader.next) - refused);
    }
    for (const reader of this.readers) {
      if (reader.client.ended) short += reader.gone.size + Math.max(0, this.#marked - reader.next);
      doubled += reader.doubled;
      disordered += reader.disordered;
    }
    return {
      sent: this.sent, refused: this.refused, readers: this.readers.length, staying: staying.length, lost, short, doubled, disordered,
      cuts: this.cuts, deliveries: this.phases.reduce((sum, p) => sum + p.count, 0), phases: this.phases.map((p) => p.summary()),
    };
  }

  leave() {
    this.#over = true;
    clearInterval(this.timer);
    clearInterval(this.speaking);
    for (const { client } of this.readers) client.destroy();
    this.publisher?.destroy();
  }
}

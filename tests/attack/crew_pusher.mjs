// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Attacks in the language of the protocol: subscriptions, presence, client events, JSON, names, authorisations.

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { channelAuth, signinAuth } from '../system/support/api.mjs';
import { until } from '../system/support/deadline.mjs';
import { frame, op } from '../system/support/frame_client.mjs';
import { LightClient, many, textFrame } from './light_client.mjs';
import { seeded } from './seeded.mjs';

const mask = Buffer.from([1, 2, 3, 4]);

/** A connected Pusher client: its id, what it was told (`errors` by code, `said` by event), and the pongs it got. */
class Speaker {
  errors = {};
  pongs = 0;
  succeeded = 0;
  relayed = 0;
  onEvent = null; // (message), if set: everything is parsed

  static async open(server, localAddress = '127.0.7.1') {
    const one = new Speaker();
    one.app = server.app;
    const client = (one.client = new LightClient(server, `/app/${server.app.key}?protocol=7`, { localAddress }));
    const greeted = new Promise((resolve) => {
      client.onEnd = () => resolve(false);
      client.onMessage = (payload) => {
        one.socketId = JSON.parse(JSON.parse(payload.toString()).data ?? '{}').socket_id;
        client.onMessage = (more) => one.#take(more);
        resolve(one.socketId !== undefined);
      };
    });
    if ((await client.answer) !== 101 || !(await greeted)) throw new Error(`not connected: ${client.status} ${client.closeCode}`);
    return one;
  }

  #take(payload) {
    if (this.onEvent) return this.onEvent(JSON.parse(payload.toString()));
    if (payload.includes('"pusher:pong"')) this.pongs++;
    else if (payload.includes('"pusher:error"')) {
      const code = /"code":(\d+|null)/.exec(payload.toString('latin1'))?.[1];
      this.errors[code] = (this.errors[code] ?? 0) + 1;
    } else if (payload.includes('subscription_succeeded')) this.succeeded++;
    else if (payload.includes('"client-')) this.relayed++;
  }

  get errorCount() {
    return Object.values(this.errors).reduce((sum, n) => sum + n, 0);
  }
  send(event, data, channel) {
    this.client.send({ event, data, channel });
  }
  subscribe(channel, channelData) {
    const auth = /^(private|presence)-/.test(channel) ? channelAuth(this.app, this.socketId, channel, channelData) : undefined;
    this.send('pusher:subscribe', { channel, auth, channel_data: channelData });
  }
  /** Everything before was handled; false when the connection ended instead. */
  async roundTrip(ms = 10_000) {
    const before = this.pongs;
    this.send('pusher:ping', {});
    await until('a pong, or the end', () => this.pongs > before || this.client.ended || this.client.closeCode !== null, ms);
    return this.pongs > before;
  }
  close() {
    this.client.destroy();
  }
}

const open = (server, n) => Promise.all(Array.from({ length: n }, (_, i) => Speaker.open(server, `127.0.7.${1 + (i % 8)}`)));
const sum = (all, value) => all.reduce((total, one) => total + value(one), 0);

/** Each client subscribes to `channels` channels of its own, leaves those it got, and begins again. */
export async function subscribeFlood(server, { clients, channels, ms }) {
  const speakers = await open(server, clients);
  const end = Date.now() + ms;
  let asked = 0;
  await Promise.all(speakers.map(async (speaker, i) => {
    while (Date.now() < end) {
      for (const event of ['pusher:subscribe', 'pusher:unsubscribe']) {
        for (let k = 0; k < channels && Date.now() < end; k += 200) {
          const frames = Array.from({ length: 200 }, (_, j) => textFrame(JSON.stringify({ event, data: { channel: `flood-${i}-${k + j}` } })));
          speaker.client.write(Buffer.concat(frames));
          asked += 200;
          if (!(await speaker.roundTrip())) return;
        }
      }
    }
  }));
  const result = { asked, succeeded: sum(speakers, (s) => s.succeeded), errors: sum(speakers, (s) => s.errorCount) };
  for (const speaker of speakers) speaker.close();
  return result;
}

const memberData = (i) => JSON.stringify({ user_id: `member-${i}`, user_info: { n: i } });

/** `members` join and leave presence-room, each `perSecond` times a second; some stay, and two watchers keep a list. */
export async function presenceChurn(server, { members, perSecond, ms }) {
  const channel = 'presence-room';
  const watchers = await open(server, 2);
  const lists = watchers.map(() => new Set());
  let notices = 0;
  watchers.forEach((watcher, i) => {
    watcher.onEvent = ({ event, data }) => {
      if (event === 'pusher_internal:subscription_succeeded') for (const id of JSON.parse(data).presence.ids) lists[i].add(id);
      if (event !== 'pusher_internal:member_added' && event !== 'pusher_internal:member_removed') return;
      notices++;
      const id = JSON.parse(data).user_id;
      const changed = event.endsWith('added') ? !lists[i].has(id) && lists[i].add(id) : lists[i].delete(id);
      if (!changed) watcher.contradicted = (watcher.contradicted ?? 0) + 1;
    };
    watcher.subscribe(channel, memberData(`watcher-${i}`));
  });
  const speakers = await open(server, members);
  const joined = speakers.map(() => false);
  let changes = 0;
  const start = performance.now();
  const total = Math.floor((ms / 1000) * perSecond * members);
  const timer = setInterval(() => {
    for (; changes < total && start + (changes * 1000) / (perSecond * members) <= performance.now(); changes++) {
      const i = changes % members;
      if (joined[i]) speakers[i].send('pusher:unsubscribe', { channel });
      else speakers[i].subscribe(channel, memberData(i));
      joined[i] = !joined[i];
    }
  }, 2);
  await until('all changes are asked for', () => changes >= total, ms + 5000);
  clearInterval(timer);
  await Promise.all(speakers.map((speaker) => speaker.roundTrip(15_000).catch(() => {}))); // all of it was handled
  // Who reads too slowly here is cut there, and no member any more.
  const stays = (isIn, i) => isIn && !speakers[i].client.ended && speakers[i].client.closeCode === null;
  const model = () => new Set(['member-watcher-0', 'member-watcher-1', ...joined.flatMap((isIn, i) => (stays(isIn, i) ? [`member-${i}`] : []))]);
  const same = (list) => list.size === model().size && [...model()].every((id) => list.has(id));
  await until('the lists equal the model', () => lists.every(same), 5000).catch(() => {});
  room = [...watchers, ...speakers];
  return {
    changes, notices, right: lists.every(same), contradicted: sum(watchers, (w) => w.contradicted ?? 0), members: [...model()].sort(), cut: speakers.filter((s) => s.client.ended).length,
    refused: sum(speakers, (s) => s.errorCount),
  };
}
let room = [];
export function roomLeave() {
  for (const speaker of room) speaker.close();
  room = [];
}

/** Each client sends `rate` client events a second on one private channel; a witness counts those that pass. */
export async function clientEvents(server, { clients, rate, ms }) {
  const channel = 'private-chat';
  const speakers = await open(server, clients + 1);
  const witness = speakers[clients];
  for (const speaker of speakers) speaker.subscribe(channel);
  await Promise.all(speakers.map((speaker) => speaker.roundTrip()));
  const bytes = textFrame(JSON.stringify({ event: 'client-typing', channel, data: { is: true } }));
  const start = performance.now();
  let rounds = 0;
  const timer = setInterval(() => {
    for (; start + (rounds * 1000) / rate <= performance.now() && rounds < (ms / 1000) * rate; rounds++) {
      for (let i = 0; i < clients; i++) speakers[i].client.write(bytes);
    }
  }, 2);
  await new Promise((resolve) => setTimeout(resolve, ms));
  clearInterval(timer);
  const sending = (performance.now() - start) / 1000;
  for (const speaker of speakers) await speaker.roundTrip();
  const seconds = (performance.now() - start) / 1000;
  // What another core relays may come behind the witness's pong.
  const refused = sum(speakers, (speaker) => speaker.errorCount);
  await until('the others are relayed', () => witness.relayed + refused >= rounds * clients, 10_000).catch(() => {});
  const errors = {};
  for (const speaker of speakers) for (const [code, n] of Object.entries(speaker.errors)) errors[code] = (errors[code] ?? 0) + n;
  const result = { sent: rounds * clients, relayed: witness.relayed, errors, sending, seconds };
  for (const speaker of speakers) speaker.close();
  return result;
}

/** JSON that has felled others, and messages of the protocol with one thing wrong. */
function corpus() {
  const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../fuzz/corpus/protocol_codec');
  const kept = readdirSync(folder).map((name) => readFileSync(path.join(folder, name)));
  const big = (n, text) => text.repeat(n);
  const nested = (n) => `${big(n, '[')}${big(n, ']')}`;
  const texts = [
    big(30_000, '['), big(30_000, '{"a":'), nested(15_000), nested(33), `{"event":"pusher:subscribe","data":${nested(1000)}}`,
    `{"event":${big(20_000, '9')}}`, '{"event":1e999999}', '{"event":-0}', '{"event":"\\ud800"}', '{"event":"\\udc00\\ud800"}',
    '{"event":"pusher:subscribe","data":{"channel":"a\\u0000b"}}', '{"event":"a","event":"b"}', '', ' ', 'null', '[]', '"', '{', '}', '0',
    `{${Array.from({ length: 3000 }, (_, i) => `"k${i}":0`).join()}}`, '{"event":"pusher:subscribe"}', '{"event":"pusher:subscribe","data":"{"}',
    '{"event":"pusher:subscribe","data":{"channel":7}}', '{"event":"pusher:subscribe","data":{"channel":""}}',
    '{"event":"pusher:subscribe","data":{"channel":"presence-x","auth":"a","channel_data":"{"}}', '{"event":"pusher:signin","data":{}}',
    '{"event":"pusher:signin","data":{"auth":"x","user_data":"{"}}', '{"event":"pusher_internal:member_added","data":{}}',
    '{"event":"client-x","channel":"private-x","data":1}', '{"event":"pusher:connection_established","data":{}}',
    '\u{feff}{"event":"pusher:ping"}', '{"event":"pusher:ping",}', '{"event":"pusher:ping"}x', "{'event':'pusher:ping'}",
    '{"event":"pusher:ping","data":NaN}', '/**/{"event":"pusher:ping"}', big(33_000, 'x'),
  ].map((text) => Buffer.from(text));
  const bytes = ['ff', 'c080', 'eda080', 'f4908080', 'e280', '7b226576656e74223a22ff227d'].map((hex) => Buffer.from(hex, 'hex'));
  return [...kept, ...texts, ...bytes];
}

/** Flips, cuts, doubles, inserts. */
function mutated(bytes, random) {
  const copy = Buffer.from(bytes.subarray(0, 400));
  for (let n = 1 + random(4); n > 0 && copy.length > 0; n--) copy[random(copy.length)] = random(2) ? random(256) : '{}[]",:\\'.charCodeAt(random(8));
  if (random(4) === 0) return copy.subarray(0, random(copy.length + 1));
  if (random(4) === 0) return Buffer.concat([copy, copy]);
  return copy;
}

/** The corpus one by one, then `messages` mutated ones by `clients`: what each was answered with. */
export async function garbage(server, { clients, messages, seed, ms }) {
  const samples = corpus();
  const outcome = { corpus: samples.length, error: 0, close: 0, neither: 0, mutated: 0, errors: 0, closes: 0, hung: 0 };
  let speaker = await Speaker.open(server);
  for (const sample of samples) {
    const before = speaker.errorCount;
    speaker.client.write(frame(op.text, sample, { mask }));
    if (!(await speaker.roundTrip())) {
      outcome.close++;
      speaker.close();
      speaker = await Speaker.open(server);
    } else outcome[speaker.errorCount > before ? 'error' : 'neither']++;
  }
  speaker.close();
  const end = Date.now() + ms;
  const lane = async () => {
    let one = null;
    while (outcome.mutated < messages && Date.now() < end) {
      one ??= await Speaker.open(server);
      const before = one.errorCount;
      const random = seeded(seed, outcome.mutated + 1);
      const batch = Array.from({ length: 50 }, () => frame(op.text, mutated(samples[random(samples.length)], random), { mask }));
      outcome.mutated += batch.length;
      one.client.write(Buffer.concat(batch));
      const stays = await one.roundTrip().catch(() => outcome.hung++ < 0);
      outcome.errors += one.errorCount - before;
      if (stays) continue;
      outcome.closes++;
      one.close();
      one = null;
    }
    one?.close();
  };
  await Promise.all(Array.from({ length: clients }, lane));
  return outcome;
}

/** `n` channel names with as many users in them, over `clients` connections, all at the same time. */
export async function names(server, { n, clients }) {
  const speakers = await open(server, clients);
  await Promise.all(speakers.map(async (speaker, i) => {
    let asked = 0;
    for (let k = i; k < n; k += clients, asked++) {
      speaker.subscribe(`presence-${k}-${'n'.repeat(k % 100)}`, JSON.stringify({ user_id: `user-${k}-${randomBytes(8).toString('hex')}` }));
      if (k % 50 === 0) await speaker.roundTrip();
    }
    // A pong may overtake an answer.
    await until('the names to be joined, or the end', () => speaker.succeeded === asked || speaker.client.ended || speaker.client.closeCode !== null, 10_000);
  }));
  room = speakers;
  return sum(speakers, (s) => s.succeeded);
}

/** Forty wrong authorisations, again and again: none may let anybody in. */
export async function wrongAuth(server, { clients, ms }) {
  const { app } = server;
  const [other, stranger] = await open(server, 2);
  const channel = 'private-vault';
  const speakers = await open(server, clients);
  const end = Date.now() + ms;
  let asked = 0;
  await Promise.all(speakers.map(async (speaker) => {
    const right = channelAuth(app, speaker.socketId, channel);
    const [key, signature] = right.split(':');
    const member = '{"user_id":"1"}';
    const presence = channelAuth(app, speaker.socketId, 'presence-vault', member);
    const auths = [
      undefined, null, '', ':', 7, true, {}, [], [right], key, signature, `${key}:`, `:${signature}`, `x${right}`, `${right}x`, ` ${right}`, `${right} `,
      `${key}::${signature}`, `${key}:${signature}:`, `other:${signature}`, `${key}:${signature.slice(1)}`, `${key}:${signature.toUpperCase()}`,
      `${key}:${'0'.repeat(64)}`, `${key}:${'f'.repeat(64)}`, `${key}:${'0'.repeat(10_000)}`, `${key}:\u0000${signature}`, `${key}\n:${signature}`,
      channelAuth(app, other.socketId, channel), channelAuth(app, '1.1', channel), channelAuth(app, '', channel),
      channelAuth(app, speaker.socketId, 'private-other'), channelAuth(app, speaker.socketId, 'vault'), channelAuth(app, speaker.socketId, `${channel}:x`),
      channelAuth({ ...app, secret: 'guess' }, speaker.socketId, channel), channelAuth({ ...app, secret: app.key }, speaker.socketId, channel),
      channelAuth({ ...app, key: 'guess' }, speaker.socketId, channel), channelAuth(app, speaker.socketId, channel, member),
      signinAuth(app, speaker.socketId, member), signinAuth(app, stranger.socketId, member), presence,
    ];
    for (let k = 0; k < auths.length || Date.now() < end; k++, asked += 2) {
      const auth = auths[k % auths.length];
      speaker.send('pusher:subscribe', { channel, auth });
      if (auth !== presence) speaker.send('pusher:subscribe', { channel: 'presence-vault', auth, channel_data: member });
      else speaker.send('pusher:subscribe', { channel: 'presence-vault', auth, channel_data: '{"user_id":"2"}' });
      if (k % 20 === 0 && !(await speaker.roundTrip())) return;
    }
    await speaker.roundTrip();
  }));
  const result = { asked, admitted: sum(speakers, (s) => s.succeeded), errors: sum(speakers, (s) => s.errorCount) };
  for (const speaker of [...speakers, other, stranger]) speaker.close();
  return result;
}

const forged = '\n2026-01-01T00:00:00.000Z error forged\r\n{"level":"error","message":"forged"}\u001b[31m\u0000\u2028"\\';
/** What a request head takes of it. */
const forgedHeader = Buffer.from('"} {"level":"error","message":"forged"}\t\u2028\u0085"\\').toString('latin1');
const forgedInLog = '"} {"level":"error","message":"forged"}\\x09\\xe2\\x80\\xa8\\xc2\\x85"\\x5c';

/**
 * What a peer can say that ends up in a log line, n times: of those with an even number the head is refused, the others come in
 * and go on. Returns how many had which status, and what the log must have of the headers.
 */
export async function inject(server, { n }) {
  const refused = [
    `/app/${server.app.key}?protocol=7&client=${encodeURIComponent(forged)}`, `/app/${encodeURIComponent(forged)}?protocol=7`,
    `/feed/${encodeURIComponent(forged)}?key=${server.app.key}`, `/feed/x?key=${encodeURIComponent(forged)}`, '/%0a%0derror',
  ];
  const taken = [`/app/${server.app.key}?protocol=7&client=${encodeURIComponent('"forged"\\\u2028')}`, `/feed/x?key=${server.app.key}`];
  const statuses = {};
  await many(n, 50, (i) => i, async (i) => {
    const target = i % 2 ? taken[(i >> 1) % taken.length] : refused[(i >> 1) % refused.length];
    const headers = { 'User-Agent': `agent ${i} ${forgedHeader}`, Origin: `origin ${forgedHeader}` };
    const client = new LightClient(server, target, { localAddress: '127.0.7.9', headers });
    const status = await client.answer;
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status === 101) {
      client.send({ event: 'pusher:subscribe', data: { channel: `bad${forged}` } });
      client.send({ event: `client-${forged}`, channel: forged, data: forged });
      client.send({ event: 'pusher:signin', data: { auth: forged, user_data: JSON.stringify({ id: forged }) } });
      const reason = Buffer.from(forged);
      client.socket.end(frame(op.close, Buffer.concat([Buffer.from([0x0f, 0xa0]), reason]), { mask }));
      await until('the end', () => client.ended, 5000).catch(() => {});
    }
    client.destroy();
  });
  return { statuses, escaped: forgedInLog };
}

/** One client occupies `perSecond` new channels a second. */
export async function occupy(server, { perSecond, ms }) {
  const speaker = await Speaker.open(server);
  const start = performance.now();
  let n = 0;
  const total = (ms / 1000) * perSecond;
  const timer = setInterval(() => {
    for (; n < total && start + (n * 1000) / perSecond <= performance.now(); n++) speaker.subscribe(`hooked-${n}`);
  }, 2);
  await until('all are asked for', () => n >= total, ms + 5000);
  clearInterval(timer);
  await until('all are in', () => speaker.succeeded === n, 10_000);
  room = [speaker];
  return n;
}

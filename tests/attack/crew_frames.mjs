// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Attacks in WebSocket frames, and below them.

import net from 'node:net';
import { until } from '../system/support/deadline.mjs';
import { frame, op, upgradeHead } from '../system/support/frame_client.mjs';
import { bytesOf, seeded } from './seeded.mjs';
import { LightClient, many, textFrame } from './light_client.mjs';

const mask = Buffer.from([5, 6, 7, 8]);
const repeated = (bytes, times) => Buffer.concat(Array(times).fill(bytes));

/** What a flood consists of: bytes sent again and again, and how many frames are in them. */
const floods = {
  oneByte: () => repeated(frame(op.text, 'x', { mask }), 8000),
  fragments: () => repeated(frame(op.continuation, 'x', { mask, fin: false }), 8000),
};
const frames = { oneByte: 8000, fragments: 8000 };

/** `clients` write as fast as the server takes it; who is closed comes back at once. */
export async function flood(server, { what, target, clients, ms, localAddress = '127.0.2.1' }) {
  const bytes = floods[what]();
  const codes = {};
  let [opened, answers] = [0, 0];
  const end = Date.now() + ms;
  const live = new Set();
  const lane = async () => {
    while (Date.now() < end) {
      const client = new LightClient(server, target, { localAddress });
      live.add(client);
      client.onMessage = () => answers++;
      if ((await client.answer) !== 101) {
        live.delete(client);
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      opened++;
      if (what === 'fragments') client.write(frame(op.text, 'x', { mask, fin: false }));
      await new Promise((resolve) => {
        const pump = () => {
          while (Date.now() < end && !client.ended && client.closeCode === null) if (!client.write(bytes)) return;
          resolve();
        };
        client.socket.on('drain', pump);
        client.onEnd = resolve;
        setTimeout(resolve, Math.max(0, end - Date.now()));
        pump();
      });
      const code = client.closeCode ?? (client.ended ? 'cut' : 'stayed');
      codes[code] = (codes[code] ?? 0) + 1;
      live.delete(client);
      client.destroy();
    }
  };
  await Promise.all(Array.from({ length: clients }, lane));
  for (const client of live) client.destroy();
  return { opened, frameBytes: bytes.length / frames[what], answers, codes };
}

const kPings = 500; // at once
const numbered = frame(op.ping, '0'.repeat(100), { mask: Buffer.alloc(4) });

/** The next pings, with their numbers. */
function pingsFrom(n) {
  const bytes = repeated(numbered, kPings);
  for (let k = 0; k < kPings; k++) bytes.latin1Write(String(n + k).padStart(10, '0'), k * numbered.length + numbered.length - 100);
  return bytes;
}

let pingers = [];

/** n clients for a flood of pings; `deaf`: they read nothing from the beginning. */
export async function pingersCome(server, { n, target, deaf = false, localAddress = '127.0.2.1' }) {
  const clients = await many(n, 50, () => {
    const client = new LightClient(server, target, { localAddress });
    client.answer.then(() => deaf && client.pause());
    client.onPong = (payload) => {
      const number = Number(payload.latin1Slice(0, 10));
      if (number <= client.last) client.disordered++;
      client.last = number;
      client.pongs++;
    };
    return Object.assign(client, { deaf, sent: 0, pongs: 0, last: -1, disordered: 0 });
  });
  pingers.push(...clients);
  return clients.filter(({ status }) => status === 101).length;
}

/** All of them write numbered pings as fast as the server takes them, for `ms`. Returns how many. */
export async function pingFlood(ms) {
  const end = Date.now() + ms;
  await Promise.all(pingers.map((client) => new Promise((resolve) => {
    const pump = () => {
      if (Date.now() >= end || client.ended || client.closeCode !== null) return resolve();
      const bytes = pingsFrom(client.sent);
      client.sent += kPings;
      if (client.write(bytes)) setImmediate(pump); // the others have their turn, too
    };
    client.socket.on('drain', pump);
    client.onEnd = resolve;
    pump();
  })));
  return pingers.reduce((sum, client) => sum + client.sent, 0);
}

/**
 * The deaf ones read, too. `pongs` in all; `waited`: the most that one of them got now; `behind`: clients whose last pong is not
 * that for their last ping; `disordered`: pongs that are older than one before.
 */
export async function pingersEnd() {
  for (const client of pingers) client.sip();
  const isNewest = (client) => client.last === client.sent - 1;
  await until('each has its newest pong', () => pingers.every((client) => isNewest(client) || client.ended), 10_000).catch(() => {});
  const sum = (value) => pingers.reduce((total, client) => total + value(client), 0);
  const result = {
    pongs: sum((client) => client.pongs), waited: Math.max(...pingers.filter(({ deaf }) => deaf).map(({ pongs }) => pongs)),
    behind: sum((client) => !isNewest(client)), disordered: sum((client) => client.disordered),
    cut: sum((client) => client.ended || client.closeCode !== null),
  };
  for (const client of pingers) client.destroy();
  pingers = [];
  return result;
}

/** n clients announce a message of `declare` bytes (a decimal text) and send one: how they were closed. */
export async function announce(server, { n, target, declare, ms = 3000 }) {
  const codes = {};
  const clients = await many(n, 200, () => new LightClient(server, target, { localAddress: '127.0.2.2' }));
  const ends = clients.map((client) => new Promise((resolve) => {
    client.onEnd = resolve;
    if (client.ended) resolve();
    client.write(frame(op.binary, 'x', { declare: BigInt(declare), lengthForm: 64 }));
  }));
  await Promise.race([Promise.all(ends), new Promise((resolve) => setTimeout(resolve, ms))]);
  for (const client of clients) {
    const code = client.closeCode ?? (client.ended ? 'none' : 'stays');
    codes[code] = (codes[code] ?? 0) + 1;
    client.destroy();
  }
  return codes;
}

/**
 * Whatever bytes: some raw, some behind a right upgrade, as frames or not. Each must come to an end. What connection i does comes
 * from the seed and i alone.
 */
export async function noise(server, { connections, seed, width = 100, ms }) {
  const targets = [`/app/${server.app.key}?protocol=7`, `/feed/noise?key=${server.app.key}`, '/echo'];
  const end = Date.now() + ms;
  let [done, hung, sent] = [0, 0, 0];
  const one = (i) => new Promise((resolve) => {
    const socket = net.connect({ port: server.port, host: server.host, localAddress: `127.0.3.${1 + (i % 8)}`, noDelay: true });
    const random = seeded(seed, i + 1);
    const bytes = bytesOf(random, 1 + random(random(4) === 0 ? 4000 : 60));
    let answered = false;
    const say = () => {
      if (random(2) === 0) bytes[0] = [0x81, 0x82, 0x88, 0x89, 0x8a, 0x01, 0x00, 0xff][random(8)];
      sent += bytes.length;
      if (random(3) === 0) socket.write(bytes.subarray(0, bytes.length >> 1), () => socket.end(bytes.subarray(bytes.length >> 1)));
      else if (random(3) === 0) socket.write(bytes, () => socket.resetAndDestroy());
      else socket.end(bytes);
    };
    const timer = setTimeout(() => {
      hung++;
      socket.destroy();
    }, 10_000);
    const upgrades = random(4) !== 0;
    socket.on('connect', () => (upgrades ? socket.write(upgradeHead(targets[random(3)])) : say()));
    socket.on('data', () => {
      if (upgrades && !answered) say();
      answered = true;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      done++;
      resolve();
    });
  });
  let next = 0;
  const lane = async () => {
    while (next < connections && Date.now() < end) await one(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
  return { connections: done, hung, sent };
}

/** Connects and resets, in every state a connection can have. */
export async function resets(server, { ms, width = 100, channel = 'reset' }) {
  const end = Date.now() + ms;
  const target = `/feed/${channel}?key=${server.app.key}`;
  const head = upgradeHead(target);
  const message = textFrame('x'.repeat(5000));
  let n = 0;
  const one = (i) => new Promise((resolve) => {
    const socket = net.connect({ port: server.port, host: server.host, localAddress: `127.0.4.${1 + (i % 8)}`, noDelay: true });
    socket.on('error', () => {});
    socket.on('close', resolve);
    socket.on('connect', () => {
      if (i % 5 === 0) return socket.resetAndDestroy();
      if (i % 5 === 1) return socket.write(head.slice(0, 1 + (i % head.length)), () => socket.resetAndDestroy());
      if (i % 5 === 2) return socket.write(head, () => socket.resetAndDestroy());
      socket.write(head);
    });
    socket.once('data', () => (i % 5 === 3 ? socket.resetAndDestroy() : socket.write(message.subarray(0, 1 + (i % 5000)), () => socket.resetAndDestroy())));
  });
  await Promise.all(Array.from({ length: width }, async () => {
    while (Date.now() < end) await one(n++);
  }));
  return n;
}

let echoers = [];
const echoed = (bytes) => frame(op.binary, Buffer.alloc(bytes, 'e'), { mask });

function expectEcho(client, bytes) {
  client.expected = (client.expected ?? 0) + 1;
  client.got ??= 0;
  client.onMessage = (payload) => (client.got += payload.length === bytes ? 1 : 1e9);
}

/**
 * n clients of the echo endpoint come and say a message of `bytes` at once, waiting for no answer, by TCP or by the Unix socket
 * `path`. Returns how many have their connection, with the message on its way; the server may be a stopped one.
 */
export async function echoersCome(server, { n, bytes, path }) {
  const first = echoed(bytes);
  await many(n, 500, (i) => {
    const client = new LightClient(server, '/echo', { localAddress: `127.0.5.${1 + (i % 8)}`, path, first });
    expectEcho(client, bytes);
    echoers.push(client);
    return client;
  }, ({ socket }) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve)));
  return echoers.filter(({ socket }) => !socket.destroyed).length;
}
/** Each of them says a message of `bytes` at the same moment. */
export async function echoersSend(bytes) {
  const message = echoed(bytes);
  for (const client of echoers) expectEcho(client, bytes);
  await Promise.all(echoers.map((client) => new Promise((resolve) => client.socket.write(message, resolve))));
}
/** Waits for all of it to come back: how many lack something. */
export async function echoersDone(ms) {
  const end = Date.now() + ms;
  const missing = () => echoers.filter((client) => client.got !== client.expected).length;
  while (missing() > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
  return missing();
}
export function echoersLeave() {
  for (const client of echoers) client.destroy();
  echoers = [];
}

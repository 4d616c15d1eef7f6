// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Attacks in WebSocket frames, and below them.

import net from 'node:net';
import { frame, op, upgradeHead } from '../system/support/frame_client.mjs';
import { bytesOf, seeded } from './seeded.mjs';
import { LightClient, many, textFrame } from './light_client.mjs';

const mask = Buffer.from([5, 6, 7, 8]);
const repeated = (bytes, times) => Buffer.concat(Array(times).fill(bytes));

/** What a flood consists of: bytes sent again and again, and how many frames are in them. */
const floods = {
  pings: () => repeated(frame(op.ping, 'x'.repeat(100), { mask }), 500),
  oneByte: () => repeated(frame(op.text, 'x', { mask }), 8000),
  fragments: () => repeated(frame(op.continuation, 'x', { mask, fin: false }), 8000),
};
const frames = { pings: 500, oneByte: 8000, fragments: 8000 };

/** `clients` write as fast as the server takes it; who is closed comes back at once. `deaf` of them read nothing. */
export async function flood(server, { what, target, clients, deaf = 0, ms, localAddress = '127.0.2.1' }) {
  const bytes = floods[what]();
  const codes = {};
  let [opened, answers] = [0, 0];
  const end = Date.now() + ms;
  const live = new Set();
  const lane = async (i) => {
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
      if (i < deaf) client.pause();
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
  await Promise.all(Array.from({ length: clients }, (_, i) => lane(i)));
  for (const client of live) client.destroy();
  return { opened, frameBytes: bytes.length / frames[what], answers, codes };
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

/** n clients of the echo endpoint each send a message of `bytes` at the same moment; waits for all of it to come back. */
let echoers = [];
export async function echoersOpen(server, { n }) {
  echoers = await many(n, 200, (i) => new LightClient(server, '/echo', { localAddress: `127.0.5.${1 + (i % 8)}` }));
  return echoers.filter((client) => client.status === 101).length;
}
export async function echoersSend(bytes) {
  const message = frame(op.binary, Buffer.alloc(bytes, 'e'), { mask });
  for (const client of echoers) {
    client.expected = (client.expected ?? 0) + 1;
    client.got ??= 0;
    client.onMessage = (payload) => (client.got += payload.length === bytes ? 1 : 1e9);
  }
  await Promise.all(echoers.map((client) => new Promise((resolve) => client.socket.write(message, resolve))));
}
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

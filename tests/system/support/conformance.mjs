// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance cases as tables: what a client says and exactly what it hears, frame by frame, to the end of the connection.
// Numbers in front of names are those of the usual case list for WebSocket servers, so that a row is found from there.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { deadline } from './deadline.mjs';
import { closeFrame, frame, FrameClient, op } from './frame_client.mjs';
import { Server } from './server.mjs';

export const KiB = 1024;
export const MiB = 1024 * KiB;

export const text = (payload, options) => frame(op.text, payload, options);
export const binary = (payload, options) => frame(op.binary, payload, options);
export const more = (payload, options) => frame(op.continuation, payload, options);
export const ping = (payload, options) => frame(op.ping, payload, options);
export const pong = (payload, options) => frame(op.pong, payload, options);
export const close = closeFrame;
export const open = { fin: false };

export const hears = {
  text: (payload = '') => [op.text, Buffer.from(payload)],
  binary: (payload = '') => [op.binary, Buffer.from(payload)],
  pong: (payload = '') => [op.pong, Buffer.from(payload)],
};

/** `bytes` in pieces of at most n. */
export function pieces(bytes, n) {
  return Array.from({ length: Math.ceil(bytes.length / n) }, (_, i) => bytes.subarray(i * n, (i + 1) * n));
}

/** One message in fragments of at most n bytes. */
export function fragments(opcode, payload, n) {
  const parts = pieces(payload, n);
  return parts.map((part, i) => frame(i ? op.continuation : opcode, part, { fin: i === parts.length - 1 }));
}

/** Ways to write the same frames; the last two only where they are short. */
const ways = {
  'in one write': (frames) => [Buffer.concat(frames)],
  'in a write for each frame': (frames) => frames,
  'in a write for each byte': (frames) => pieces(Buffer.concat(frames), 1),
};
const shortBytes = 1000;

/** Flags of the echo endpoint. */
export const echo = ['--echo', '/echo', '--max-message', '16MiB'];

/** Plays one row in one way on a connection of its own. */
async function play({ turns, fails, closes, ms = 10_000 }, chop, client) {
  for (const { says, answers = [] } of turns) {
    for (const bytes of chop(says)) await client.raw.flush(bytes);
    for (const [opcode, payload] of answers) {
      const message = await client.message(ms);
      assert.equal(message?.opcode, opcode, 'opcode of the answer');
      assert.ok(message.payload.equals(payload), `the answer has ${message.payload.length} bytes, not the ${payload.length} it should`);
    }
  }
  if (fails !== undefined) return client.failsWith(fails, ms);
  if (closes === undefined) client.raw.write(closeFrame(1000));
  return client.closesWith(closes ?? 1000, ms);
}

/** Plays one row in all ways that fit it, or the one it names. */
async function playRow(row, connect) {
  const turns = row.turns ?? [row];
  const bytes = turns.flatMap(({ says }) => says).reduce((sum, { length }) => sum + length, 0);
  const names = row.way ? [row.way] : Object.keys(ways).slice(0, bytes > shortBytes ? 1 : undefined);
  for (const way of names) {
    const client = await connect();
    try {
      await play({ ...row, turns }, ways[way], client);
    } catch (error) {
      error.message = `${way}: ${error.message}`;
      throw error;
    }
    client.close();
  }
}

/**
 * A table of cases by name, each on its own connections and several at a time, against one server for each number of cores.
 * A case is a row, a function that makes a row when it is played, {variants: {name: row}}, or {custom: (connect, server) => {}}.
 *
 * A row is {says: [frames], answers: [...]}, or several such {turns}, each of which waits for its answers. With `fails` the
 * server then ends the connection with that code; with `closes` our close was among what we said, and is answered with that
 * code; with neither all is well, and we close. Nothing may be heard but what the row has. `way` names the only way to write
 * it. `greet` reads what a new connection is told.
 */
export function conformance(title, cases, { cores = [1, 2], target = '/echo', flags = echo, together = 16, greet = async () => {} } = {}) {
  for (const count of cores) {
    describe(`${title} (--cores ${count})`, { concurrency: together }, () => {
      let server = null;
      before(async () => (server = await Server.start({ cores: count, flags })));
      after(async () => {
        try {
          await server?.untilClients(0);
          await server?.untilMetric('spillway_subscriptions', {}, 0);
        } finally {
          await server?.stop();
        }
      });
      for (const [name, entry] of Object.entries(cases)) {
        it(name, { timeout: deadline(30_000) }, () => attempt(server, entry, { target, greet }));
      }
    });
  }
}

async function attempt(server, entry, { target, greet }) {
  assert.ok(server, 'the server did not start');
  const clients = [];
  const connect = async (options) => {
    const client = await FrameClient.open(server, target, options);
    clients.push(client);
    await greet(client);
    return client;
  };
  let variant = '';
  try {
    if (entry.custom) await entry.custom(connect, server);
    const made = typeof entry === 'function' ? entry() : entry;
    for (const [name, row] of Object.entries(made.variants ?? (made.custom ? {} : { '': made }))) {
      variant = name;
      await playRow(row, connect);
    }
    assert.equal(server.exit, null, 'the server must still run');
  } catch (error) {
    error.message = `${variant} ${error.message}${server.story()}`.trim();
    throw error;
  } finally {
    for (const client of clients) client.close();
  }
}

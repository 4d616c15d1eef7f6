// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a helper process can be told to do: everything that is attacked with, and the innocents. Arguments and results are
// plain values; connections that outlive a call are kept until `release`.

import { Innocents } from './innocents.mjs';
import { addressOf, LightClient, many } from './light_client.mjs';

export * from './crew_frames.mjs';
export * from './crew_http.mjs';
export * from './crew_pusher.mjs';
export * from './crew_soak.mjs';
export { forget, ledger } from './ledger.mjs';

let innocents;
let held = [];

export async function innocentsStart(server, options) {
  innocents = new Innocents(server, options);
  await innocents.start();
}
export const innocentsEnter = (phase) => innocents.enter(phase);
export const innocentsMark = () => innocents.mark();
export const innocentsFinish = () => innocents.finish();
export const innocentsLeave = () => innocents.leave();

const tally = (values) => values.reduce((counts, value) => ({ ...counts, [value]: (counts[value] ?? 0) + 1 }), {});

/** Opens n WebSockets and keeps them: statuses, and milliseconds that it took. */
export async function open(server, { n, target, silent = false, localAddress, block = 1, width = 200, paused = false, sip }) {
  const start = Date.now();
  const clients = await many(n, width, (i) => {
    const client = new LightClient(server, target, { silent, localAddress: localAddress ?? addressOf(i, block), sip });
    if (paused) client.answer.then(() => client.pause());
    return client;
  });
  held.push(...clients);
  return { statuses: tally(clients.map((client) => client.status)), ms: Date.now() - start };
}

/** Pusher clients that subscribe to a channel and come back until they are in; each message they get is counted. */
export async function herd(server, { n, channel, block, width = 500, ms = 15_000 }) {
  const start = Date.now();
  let [subscribed, tries] = [0, 0];
  const end = start + ms;
  const target = `/app/${server.app.key}?protocol=7`;
  await many(n, width, (i) => ({ i }), async (one) => {
    while (Date.now() < end) {
      tries++;
      const client = new LightClient(server, target, { localAddress: addressOf(one.i, block) });
      if ((await client.answer) === 101) {
        client.got = [];
        const isIn = new Promise((resolve) => {
          client.onEnd = () => resolve(false);
          client.onMessage = (payload) => {
            if (payload.includes('subscription_succeeded')) resolve(true);
            else if (!payload.includes('"pusher')) client.got.push(Date.now());
          };
        });
        client.send({ event: 'pusher:subscribe', data: { channel } });
        if (await isIn) {
          subscribed++;
          held.push(client);
          return;
        }
      }
      client.destroy();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
  return { subscribed, tries, ms: Date.now() - start };
}

/** What the held clients of `herd` got: how many exactly `times` messages, and when the last came. */
export const gathered = (times) => ({
  right: held.filter((client) => client.got?.length === times).length,
  wrong: held.filter((client) => client.got?.length !== times).length,
  last: held.reduce((latest, client) => Math.max(latest, ...(client.got ?? [])), 0),
});

/** Waits until all held connections ended: their close codes, and how long the longest lived, from its upgrade. */
export async function untilEnded(ms) {
  const opened = held.filter((client) => client.status === 101);
  const end = Date.now() + ms;
  let longest = 0;
  const left = new Set(opened);
  while (left.size > 0 && Date.now() < end) {
    for (const client of left) {
      // A client that never speaks does not end its side either; a close frame is the end as far as it can see.
      if (client.ended || client.closeCode !== null) {
        left.delete(client);
        longest = Math.max(longest, performance.now() - client.openedAt);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const codes = tally(opened.map((client) => client.closeCode ?? (client.ended ? 'none' : 'open')));
  return { codes, torn: opened.filter((client) => client.torn).length, longestMs: Math.round(longest) };
}

/** Each held client (made with `sip`) takes one sip every `pauseMs`, until `release`. */
export function sipping(pauseMs) {
  const clients = held;
  const timer = setInterval(() => (clients === held ? clients.forEach((client) => client.sip()) : clearInterval(timer)), pauseMs);
}

export const resume = () => held.forEach((client) => client.sip());

/** Messages per held client: the least and the most. */
export function count() {
  for (const client of held) {
    client.messages = 0;
    client.onMessage = () => client.messages++;
  }
}
export const counted = () => ({
  least: Math.min(...held.map((c) => c.messages)), most: Math.max(...held.map((c) => c.messages)),
});

/** Ends what is held; resets instead if asked. */
export function release(how = 'destroy') {
  for (const client of held) client[how]();
  held = [];
}

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What this process did to servers and saw of them, by the server's port (or the path of its Unix socket): how many
// connections it began and how many of them were made, whatever library opened them; and of light clients the answers to
// their upgrades and the codes of the server's close frames. Held against what the server counted.

import net from 'node:net';

const books = new Map();
const empty = () => ({ begun: 0, made: 0, statuses: {}, codes: {} });

function bookOf(place) {
  if (!books.has(place)) books.set(place, empty());
  return books.get(place);
}

const increase = (counts, what, by = 1) => (counts[what] = (counts[what] ?? 0) + by);

/** As net.connect() and net.createConnection() hand it over, or as a caller of its own does. */
const placeOf = ([first]) => {
  const options = Array.isArray(first) ? first[0] : first;
  return typeof options === 'object' ? options.path ?? Number(options.port) : Number(options);
};

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const book = bookOf(placeOf(args));
  book.begun++;
  this.once('connect', () => book.made++);
  return connect.apply(this, args);
};

export const noteStatus = (place, status) => increase(bookOf(place).statuses, status);
export const noteCode = (place, code) => increase(bookOf(place).codes, code);

/** A port may have been another server's before. */
export const forget = (places) => places.forEach((place) => books.delete(place));
export const ledger = (places) => sum(places.map(bookOf));

export function sum(all) {
  const total = empty();
  for (const one of all) {
    total.begun += one.begun;
    total.made += one.made;
    for (const kind of ['statuses', 'codes']) for (const [what, n] of Object.entries(one[kind])) increase(total[kind], what, n);
  }
  return total;
}

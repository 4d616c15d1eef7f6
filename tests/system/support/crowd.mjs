// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A program: `crowd.mjs PORT N CHANNEL` opens N feeds with next to no memory each, prints "all" when they are open, and when all
// have ended one line of JSON: {codes: {close code: how many}, broken, gaps, heard}. `broken` are connections that ended in
// another way than with a whole close frame, `gaps` are numbers that somebody missed between two that it got.

import net from 'node:net';
import { upgradeHead } from './frame_client.mjs';

const [port, n, channel] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];
const told = { codes: {}, broken: 0, gaps: 0, heard: 0 };
let open = 0;
let left = n;

/** The bytes behind the first whole frame, which `take` gets; null when there is none. */
function afterFrame(bytes, take) {
  if (bytes.length < 2) return null;
  const long = bytes[1] === 126;
  const begin = long ? 4 : 2;
  if (bytes.length < begin) return null;
  const end = begin + (long ? bytes.readUInt16BE(2) : bytes[1]);
  if (bytes.length < end) return null;
  take(bytes[0] & 15, bytes.subarray(begin, end));
  return bytes.subarray(end);
}

function reader() {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(upgradeHead(`/feed/${channel}?key=app-key`)));
  let rest = Buffer.alloc(0);
  let upgraded = false;
  let last = null;
  let code = null;
  const frame = (opcode, payload) => {
    if (opcode === 8) code = payload.readUInt16BE(0);
    if (opcode !== 1) return;
    const number = Number(payload.toString().slice(0, 10));
    if (last !== null && number !== last + 1) told.gaps += 1;
    last = number;
    told.heard += 1;
  };
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    if (!upgraded) {
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      rest = rest.subarray(end + 4);
      upgraded = true;
      if (++open === n) console.log('all');
    }
    for (let next = rest; next !== null; next = afterFrame(rest, frame)) rest = next;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    if (code === null || rest.length !== 0) told.broken += 1;
    else told.codes[code] = (told.codes[code] ?? 0) + 1;
    if (--left === 0) console.log(JSON.stringify(told));
  });
}

for (let i = 0; i < n; i++) {
  reader();
  if (i % 200 === 199) await new Promise((resolve) => setTimeout(resolve, 10)); // a backlog is not endless
}

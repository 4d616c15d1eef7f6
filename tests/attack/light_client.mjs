// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A WebSocket client so small that one process holds thousands: a socket, a frame reader with callbacks, no promises but
// for the answer to its upgrade.

import net from 'node:net';
import { closeFrame, frame, op, upgradeHead } from '../system/support/frame_client.mjs';
import { noteCode, noteStatus } from './ledger.mjs';

const mask = Buffer.from([1, 2, 3, 4]);
export const textFrame = (text) => frame(op.text, text, { mask });

const kNothing = Buffer.alloc(0);

export class LightClient {
  status = 0; // of the upgrade: 101, another, or 0 when the connection ended without an answer
  closeCode = null; // of the server's close frame
  ended = false;
  torn = false; // the connection ended inside a frame
  onMessage = null; // (payload, opcode), for text and binary
  onPong = null; // (payload)
  onEnd = null;
  #rest = kNothing;
  #answered;

  /**
   * `silent`: pings are not answered. `path`: by this Unix socket. `headers`: of the request, as bytes in latin1. `first`: frames
   * behind the request, not waiting for its answer. `answer` resolves with the status.
   */
  constructor(server, target, { localAddress, silent = false, sip, path, headers, first = kNothing } = {}) {
    this.silent = silent;
    this.place = path ?? server.port;
    this.answer = new Promise((resolve) => (this.#answered = resolve));
    this.openedAt = 0;
    const onread = sip && { buffer: Buffer.alloc(sip), callback: (n, buffer) => (this.#take(Buffer.from(buffer.subarray(0, n))), false) };
    this.socket = net.connect({ ...(path ? { path } : { port: server.port, host: server.host, localAddress, noDelay: true }), onread });
    this.socket.on('connect', () => {
      this.socket.write(upgradeHead(target, { change: headers }), 'latin1');
      if (first.length > 0) this.socket.write(first);
    });
    this.socket.on('data', (chunk) => this.#take(chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.#over());
    this.socket.on('end', () => this.#over());
  }

  #over() {
    if (this.ended) return;
    this.ended = true;
    this.torn = this.status === 101 && this.#rest.length > 0;
    this.#answered(this.status);
    this.onEnd?.(this);
  }

  #take(chunk) {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.status === 0) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#rest = bytes;
        return;
      }
      this.status = Number(bytes.toString('latin1', 9, 12));
      noteStatus(this.place, this.status);
      this.openedAt = performance.now();
      bytes = bytes.subarray(end + 4);
      this.#answered(this.status);
    }
    let at = 0;
    while (bytes.length - at >= 2) {
      let length = bytes[at + 1] & 0x7f;
      let start = at + 2;
      if (length === 126) {
        if (bytes.length < at + 4) break;
        length = bytes.readUInt16BE(at + 2);
        start = at + 4;
      } else if (length === 127) {
        if (bytes.length < at + 10) break;
        length = Number(bytes.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      if (bytes.length < start + length) break;
      this.#frame(bytes[at] & 0x0f, bytes.subarray(start, start + length));
      at = start + length;
    }
    this.#rest = at === bytes.length ? kNothing : Buffer.from(bytes.subarray(at));
  }

  #frame(opcode, payload) {
    if (opcode === op.text || opcode === op.binary) this.onMessage?.(payload, opcode);
    else if (opcode === op.ping && !this.silent) this.write(frame(op.pong, payload, { mask }));
    else if (opcode === op.pong) this.onPong?.(payload);
    else if (opcode === op.close) {
      this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      noteCode(this.place, this.closeCode);
      if (!this.silent) this.socket.end(closeFrame(this.closeCode === 1005 ? 1000 : this.closeCode));
    }
  }

  write(bytes) {
    return !this.socket.destroyed && this.socket.writable && this.socket.write(bytes);
  }
  send(message) {
    return this.write(textFrame(typeof message === 'string' ? message : JSON.stringify(message)));
  }
  /** For a client with `sip`: takes one more sip. */
  sip() {
    this.socket.resume();
  }
  pause() {
    this.socket.pause();
  }
  destroy() {
    this.socket.destroy();
  }
  reset() {
    this.socket.resetAndDestroy();
  }
}

/** Loopback addresses that share n clients, so that source ports suffice: 127.0.`block`.1 and up. */
export const addressOf = (i, block = 1) => `127.0.${block}.${1 + Math.floor(i / 10_000)}`;

/** Makes n things, `width` at a time; resolves with all of them when each `settled` promise is. */
export async function many(n, width, make, settled = (one) => one.answer) {
  const all = [];
  let next = 0;
  const lane = async () => {
    while (next < n) {
      const one = make(next++);
      all.push(one);
      await settled(one);
    }
  };
  await Promise.all(Array.from({ length: Math.min(n, width) }, lane));
  return all;
}

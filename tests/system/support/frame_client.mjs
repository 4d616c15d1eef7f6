// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A WebSocket client in frames, which may also be wrong ones: unmasked, reserved bits, any opcode, any length form.
// What the server sends is read strictly (RFC 6455 section 5).

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { head, RawSocket } from './raw_socket.mjs';

export const op = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

export const sampleKey = 'dGhlIHNhbXBsZSBub25jZQ==';
export const acceptFor = (key) =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** Head of an upgrade. `change` replaces headers (null removes), `extra` lines are added. */
export function upgradeHead(target, { method = 'GET', version = 'HTTP/1.1', change = {}, extra = [] } = {}) {
  const headers = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': sampleKey,
    ...change,
  };
  const lines = Object.entries(headers).filter(([, v]) => v !== null).map(([k, v]) => `${k}: ${v}`);
  return head(`${method} ${target} ${version}`, ...lines, ...extra);
}

/** One frame as bytes. lengthForm 7, 16 or 64 forces an encoding; declare lies about the length; mask null = unmasked. */
export function frame(opcode, payload = '', { fin = true, rsv = 0, mask = randomBytes(4), lengthForm, declare } = {}) {
  const body = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
  const length = BigInt(declare ?? body.length);
  const form = lengthForm ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const start = Buffer.alloc(2 + (form === 16 ? 2 : form === 64 ? 8 : 0));
  start[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  start[1] = (mask ? 0x80 : 0) | (form === 7 ? Number(length) : form === 16 ? 126 : 127);
  if (form === 16) start.writeUInt16BE(Number(length), 2);
  if (form === 64) start.writeBigUInt64BE(length, 2);
  if (!mask) return Buffer.concat([start, body]);
  return Buffer.concat([start, mask, masked(body, mask)]);
}

/** By words: large payloads took most of a run. */
function masked(body, mask) {
  const out = Buffer.alloc(body.length); // not from a pool, so that words are aligned
  body.copy(out);
  const words = new Int32Array(out.buffer, 0, out.length >> 2);
  const key = mask.readInt32LE();
  for (let i = 0; i < words.length; i++) words[i] ^= key;
  for (let i = words.length * 4; i < out.length; i++) out[i] ^= mask[i & 3];
  return out;
}

export const closeFrame = (code, reason = '') => {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return frame(op.close, payload);
};

/** {code, reason} of a close frame, or of an end without one. */
function closeOf(close) {
  if (close === null) return { code: 1006, reason: '' };
  const code = close.payload.length >= 2 ? close.payload.readUInt16BE(0) : 1005;
  return { code, reason: close.payload.subarray(2).toString() };
}

export class FrameClient {
  static async open(server, target, options = {}) {
    const client = new FrameClient();
    client.raw = await RawSocket.connect(server, { sip: options.sip });
    client.raw.write(upgradeHead(target, options));
    client.answer = await client.raw.response();
    assert.equal(client.answer?.status, 101, `upgrade of ${target}: ${JSON.stringify(client.answer)}`);
    assert.equal(client.answer.headers['sec-websocket-accept'], acceptFor(sampleKey));
    return client;
  }

  send(opcode, payload, options) {
    this.raw.write(frame(opcode, payload, options));
  }

  /** The next frame: {fin, opcode, payload}; null at the end of the connection. */
  async frame(ms = 5000) {
    const start = await this.raw.take(2, ms);
    if (start === null) return null;
    assert.equal(start[0] & 0x70, 0, 'reserved bits of a server frame');
    assert.equal(start[1] & 0x80, 0, 'a server must not mask');
    const opcode = start[0] & 0x0f;
    let length = start[1] & 0x7f;
    if (length === 126) {
      length = (await this.raw.take(2, ms)).readUInt16BE(0);
      assert.ok(length > 125, 'length must be in its shortest form');
    } else if (length === 127) {
      length = Number((await this.raw.take(8, ms)).readBigUInt64BE(0));
      assert.ok(length > 65535, 'length must be in its shortest form');
    }
    if (opcode >= 8) assert.ok(length <= 125 && start[0] & 0x80, 'control frames are short and whole');
    const payload = length === 0 ? Buffer.alloc(0) : await this.raw.take(length, ms);
    if (payload === null) throw new Error('the connection ended inside a frame');
    return { fin: (start[0] & 0x80) !== 0, opcode, payload: Buffer.from(payload) };
  }

  /** The next message, its fragments joined: {opcode, payload}. Control frames come out one by one. */
  async message(ms = 5000) {
    let first = await this.frame(ms);
    if (first === null || first.opcode >= 8 || first.fin) return first;
    const parts = [first.payload];
    for (let last = first; !last.fin; parts.push(last.payload)) {
      last = await this.frame(ms);
      assert.equal(last?.opcode, op.continuation, 'fragments follow one another');
    }
    return { fin: true, opcode: first.opcode, payload: Buffer.concat(parts) };
  }

  /** Reads on until the close frame, whatever comes before it: {code, reason}. 1006 when none comes. */
  async closing(ms = 5000) {
    for (;;) {
      const next = await this.frame(ms);
      if (next === null || next.opcode === op.close) return closeOf(next);
    }
  }

  /** The server fails the connection: the next frame is a close with this code, answered as RFC 6455 section 5.5.1 wants it. */
  async failsWith(code, ms = 5000) {
    await this.#ends(code, ms, () => this.raw.write(closeFrame(code)));
  }

  /** The server answers our close: the next frame is a close with this code (1005: without one). */
  async closesWith(code, ms = 5000) {
    await this.#ends(code, ms, () => {});
  }

  /** Nothing lies between what was read and the close, nor behind it; the server ends the TCP connection, and first. */
  async #ends(code, ms, answer) {
    const next = await this.frame(ms);
    assert.ok(next === null || next.opcode === op.close, `a frame of opcode ${next?.opcode} and ${next?.payload.length} bytes before the close`);
    const end = closeOf(next);
    assert.equal(end.code, code, `close code (reason: ${end.reason})`);
    answer();
    await this.raw.closed(ms);
    assert.equal(this.raw.error, null, 'how the connection ended');
    assert.equal(this.raw.pending, 0, 'bytes behind the close');
    this.raw.socket.end();
  }

  close() {
    this.raw.close();
  }
}

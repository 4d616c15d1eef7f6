// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A TCP connection whose every byte the test decides, and an HTTP/1.1 response reader strict enough to notice a
// response that is not framed as it says.

import net from 'node:net';
import { within } from './deadline.mjs';

export class RawSocket {
  received = 0;
  ended = false;
  error = null;
  #chunks = [];
  #size = 0;
  #wake = [];

  /** `sip`: () => the most bytes that the next read of the socket may take; else as many as there are. */
  static async connect(server, { port = server.port, host = server.host, localAddress, path, sip } = {}) {
    const raw = new RawSocket();
    const take = (chunk) => {
      raw.#chunks.push(chunk);
      raw.#size += chunk.length;
      raw.received += chunk.length;
      raw.#notify();
    };
    const onread = sip && { buffer: () => Buffer.allocUnsafe(sip()), callback: (n, buffer) => (take(buffer.subarray(0, n)), true) };
    raw.socket = net.connect({ ...(path ? { path } : { port, host, localAddress }), noDelay: true, allowHalfOpen: true, onread });
    raw.socket.on('data', take);
    raw.socket.on('end', () => raw.#finish());
    raw.socket.on('close', () => raw.#finish());
    raw.socket.on('error', (error) => {
      raw.error = error;
      raw.#finish();
    });
    await within(5000, 'TCP connection', new Promise((resolve, reject) => {
      raw.socket.once('connect', resolve);
      raw.socket.once('error', reject);
    }));
    return server.own(raw);
  }

  #finish() {
    this.ended = true;
    this.#notify();
  }
  #notify() {
    for (const wake of this.#wake.splice(0)) wake();
  }

  write(bytes) {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** Resolves when the kernel took the bytes (or the connection broke). */
  flush(bytes) {
    return new Promise((resolve) => (this.socket.destroyed ? resolve() : this.socket.write(bytes, () => resolve())));
  }

  get pending() {
    return this.#size;
  }

  /** Takes exactly n bytes; null when the connection ends before. */
  async take(n, ms = 5000) {
    while (this.#size < n) {
      if (this.ended) return null;
      const more = new Promise((resolve) => this.#wake.push(resolve));
      await within(ms, () => `${n} bytes (have ${this.#size})`, more);
    }
    const all = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#chunks = n < all.length ? [all.subarray(n)] : [];
    this.#size -= n;
    return all.subarray(0, n);
  }

  /** The next line without its end; null when the connection ended. */
  async line(ms = 5000) {
    for (let line = ''; ; ) {
      const byte = await this.take(1, ms);
      if (byte === null) return line === '' ? null : line;
      line += byte.toString('latin1');
      if (line.endsWith('\r\n')) return line.slice(0, -2);
    }
  }

  /** {status, reason, headers (lower-case), body}; null when the connection ended without one. */
  async response({ method = 'GET', ms = 5000 } = {}) {
    const first = await this.line(ms);
    if (first === null) return null;
    const [, status, reason] = first.match(/^HTTP\/1\.1 (\d{3}) ?(.*)$/) ?? [];
    if (!status) throw new Error(`status line: ${JSON.stringify(first)}`);
    const headers = {};
    for (let line; (line = await this.line(ms)) !== ''; ) {
      const [, name, value] = line?.match(/^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/) ?? [];
      if (!name) throw new Error(`header line: ${JSON.stringify(line)}`);
      headers[name.toLowerCase()] = value;
    }
    const bodiless = method === 'HEAD' || status.startsWith('1') || status === '204' || status === '304';
    const body = bodiless ? '' : await this.#body(headers, ms);
    return { status: Number(status), reason, headers, body };
  }

  async #body(headers, ms) {
    if ('content-length' in headers) {
      const body = await this.take(Number(headers['content-length']), ms);
      if (body === null) throw new Error('the body is shorter than its Content-Length');
      return body.toString();
    }
    if (headers.connection?.toLowerCase() !== 'close') throw new Error('a body without length on a kept connection');
    await this.closed(ms);
    return (await this.take(this.#size)).toString();
  }

  /** Resolves when the peer ended the connection, by whatever means. */
  async closed(ms = 5000) {
    while (!this.ended) {
      await within(ms, 'end of the connection', new Promise((resolve) => this.#wake.push(resolve)));
    }
  }

  reset() {
    this.socket.resetAndDestroy();
  }
  close() {
    this.socket.destroy();
  }
}

/** Lines of a request head joined as HTTP wants them. */
export const head = (...lines) => `${lines.join('\r\n')}\r\n\r\n`;

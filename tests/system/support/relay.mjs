// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A load balancer in small: one port, and behind it whichever server is named now, or none.

import net from 'node:net';
import { within } from './deadline.mjs';

export class Relay {
  host = '127.0.0.1';
  target = null;
  #sockets = new Set();
  #owned = [];

  static async start(target = null) {
    const relay = new Relay();
    relay.target = target;
    relay.app = target?.app;
    relay.server = net.createServer((client) => relay.#pass(client));
    await within(5000, 'listening', new Promise((resolve) => relay.server.listen(0, relay.host, resolve)));
    relay.port = relay.server.address().port;
    return relay;
  }

  #pass(client) {
    if (!this.target) return client.destroy();
    const server = net.connect(this.target.port, this.target.host);
    for (const [one, other] of [[client, server], [server, client]]) {
      this.#sockets.add(one);
      one.setNoDelay().pipe(other);
      one.on('error', () => other.destroy()).on('close', () => this.#sockets.delete(one));
    }
  }

  /** Clients of the tests register here as they do with a server. */
  own(client) {
    this.#owned.push(client);
    return client;
  }

  close() {
    for (const client of this.#owned) client.close();
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
  }
}

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// An app's backend as webhooks meet it: an HTTP server that keeps every request, checks it with the official library, and
// answers as it is told.

import assert from 'node:assert/strict';
import http from 'node:http';
import PusherServer from 'pusher';
import { Inbox } from './inbox.mjs';
import { within } from './deadline.mjs';

export class WebhookReceiver {
  requests = [];
  inbox = new Inbox(); // events of requests answered with 2xx, in order
  #sockets = new Set();

  /** `answer(request, response)` may answer itself; true means that it did (or hangs). */
  static async start({ app, host = '127.0.0.1', port = 0, answer = () => false } = {}) {
    const receiver = new WebhookReceiver();
    receiver.library = new PusherServer({ appId: app.id, key: app.key, secret: app.secret, cluster: 'none' });
    receiver.answer = answer;
    receiver.server = http.createServer((request, response) => receiver.#take(request, response));
    receiver.server.on('connection', (socket) => {
      receiver.#sockets.add(socket);
      socket.on('close', () => receiver.#sockets.delete(socket));
    });
    await within(5000, 'listening', new Promise((resolve) => receiver.server.listen(port, host, resolve)));
    receiver.port = receiver.server.address().port;
    receiver.url = `http://${host}:${receiver.port}`;
    return receiver;
  }

  async #take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const rawBody = Buffer.concat(chunks).toString();
    const one = { method: request.method, target: request.url, headers: request.headers, rawHeaders: request.rawHeaders,
                  rawBody, at: Date.now() };
    this.requests.push(one);
    if (this.answer(one, response)) return;
    this.accept(one, response);
  }

  /** 200, after the library found it right: type, key, signature; its events go into the inbox. */
  accept(one, response) {
    const webhook = this.library.webhook({ headers: one.headers, rawBody: one.rawBody });
    assert.equal(one.headers['content-type'], 'application/json', 'the exact type');
    if (!webhook.isValid()) {
      this.fault = `not valid: ${JSON.stringify(one)}`;
      response.writeHead(401).end();
      return;
    }
    one.events = webhook.getEvents();
    one.time = webhook.getTime();
    response.writeHead(200).end('{}');
    for (const event of one.events) this.inbox.push(event);
  }

  /** The next event of that name (about that channel). */
  event(name, channel, ms = 6000) {
    const matches = (e) => e.name === name && (channel === undefined || e.channel === channel);
    return this.inbox.take(`webhook ${name} ${channel ?? ''}`, matches, ms);
  }

  /** What came and nobody took, as "name channel". */
  rest() {
    return this.inbox.items.map((e) => `${e.name} ${e.channel}`);
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    assert.equal(this.fault, undefined);
  }
}

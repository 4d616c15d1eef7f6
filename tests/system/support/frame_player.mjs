// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Plays what clients and a server say to each other, written down line by line (tests/golden/frames.md).

import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { Api, hmac } from './api.mjs';
import { within } from './deadline.mjs';
import { Inbox } from './inbox.mjs';

/** The apps of a configuration: {id, key, secret}. */
export function appsOf(toml) {
  const value = (text, name) => text.match(new RegExp(`^${name} = "(.*)"$`, 'm'))?.[1];
  return toml.split(/^\[\[app\]\]$/m).slice(1)
    .map((text) => ({ id: value(text, 'id'), key: value(text, 'key'), secret: value(text, 'secret') }));
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** One client of a scene: what it received and nobody has looked at yet, as the bytes came. */
class Speaker {
  inbox = new Inbox();

  constructor(server, target, { subprotocol, answersPings, headers }) {
    this.key = target.match(/^\/app\/([^?]*)/)?.[1];
    this.ws = new WebSocket(server.wsUrl(target), subprotocol ? [subprotocol] : [], {
      perMessageDeflate: false, autoPong: answersPings, headers,
    });
    this.ws.on('message', (text, isBinary) => this.inbox.push(isBinary ? 'BINARY' : text.toString()));
    this.ws.on('error', (error) => (this.error = error));
    this.closed = new Promise((resolve) => this.ws.on('close', (code, reason) => {
      this.inbox.end(`closed with ${code} ${reason} ${this.error?.message ?? ''}`);
      resolve(`${code} ${reason}`.trim());
    }));
    server.own(this);
  }

  close() {
    this.ws.terminate();
  }
}

/**
 * Plays the lines of a scene. NAME may be left out where one client is enough:
 *
 *   NAME connects TARGET                   opens a WebSocket; `silently` before TARGET: it answers no pings
 *   NAME> TEXT                             sends a text frame
 *   NAME< TEXT                             the next frame it gets, byte for byte
 *   NAME closed CODE REASON                the close frame it gets, and the end of the connection
 *   NAME leaves                            closes; waits for the end
 *   POST PATH BODY -> STATUS BODY          the backend's signed request and its answer
 *   SIGTERM                                to the server
 *   # TEXT                                 a remark
 *
 * `{socket}` and `{NAME.socket}` stand for socket ids, `{signature}` for what the backend signs: the frame it stands in.
 * What is not written must not come: at the end each open client says pusher:ping and gets nothing but pusher:pong.
 */
export class FramePlayer {
  #speakers = new Map();
  #sockets = new Map();

  constructor(server, apps) {
    this.server = server;
    this.apps = apps;
  }

  async play(lines) {
    for (const line of lines) {
      if (line.trim() === '' || line.startsWith('#')) continue;
      try {
        await this.#step(line);
      } catch (error) {
        error.message = `${line}\n${error.message}`;
        throw error;
      }
    }
    for (const [name, speaker] of this.#speakers) if (!speaker.isClosed) await this.#nothingMore(name, speaker);
  }

  async #step(line) {
    const steps = [
      [/^(\w*) ?connects (silently )?(\S+)$/, (name, silently, target) => this.#connect(name, target, !silently)],
      [/^(\w*)> ?(.*)$/, (name, text) => this.#say(name, text)],
      [/^(\w*)< ?(.*)$/, (name, text) => this.#hear(name, text)],
      [/^(\w*) ?closed (.*)$/, (name, end) => this.#closed(name, end)],
      [/^(\w*) ?leaves$/, (name) => this.#leave(name)],
      [/^(POST|GET) (\S+)(?: (.*?))? -> (\d{3}) (.*)$/, (...request) => this.#request(...request)],
      [/^SIGTERM$/, () => this.server.signal('SIGTERM')],
    ];
    for (const [pattern, act] of steps) {
      const match = line.match(pattern);
      if (match) return act(...match.slice(1));
    }
    throw new Error('no such step');
  }

  #speaker(name) {
    assert.ok(this.#speakers.has(name), `nobody is called "${name}"`);
    return this.#speakers.get(name);
  }

  #connect(name, target, answersPings) {
    this.#sockets.delete(name);
    this.#speakers.set(name, new Speaker(this.server, target, { answersPings }));
    const { ws } = this.#speaker(name);
    return within(5000, 'answer to the upgrade', new Promise((resolve, reject) => ws.on('open', resolve).on('error', reject)));
  }

  #say(name, text) {
    const speaker = this.#speaker(name);
    const known = this.#filled(text, name);
    speaker.ws.send(known.replaceAll('{signature}', () => this.#signature(speaker, known, this.#sockets.get(name))));
  }

  /** What the backend signs for this frame: by its channel and channel_data, or by its user_data. */
  #signature(speaker, text, socket) {
    const { event, data } = JSON.parse(text);
    const parts = event === 'pusher:signin'
      ? [socket, '', 'user', '', data.user_data]
      : [socket, data.channel, ...(data.channel_data === undefined ? [] : [data.channel_data])];
    return hmac(this.apps.find((app) => app.key === speaker.key).secret, parts.join(':'));
  }

  async #hear(name, text) {
    const heard = await this.#speaker(name).inbox.take(text);
    if (!this.#sockets.has(name)) {
      const greeting = new RegExp(`^${escaped(text).replace('\\{socket\\}', '(\\d+\\.\\d+)')}$`);
      const [, socket] = heard.match(greeting) ?? [];
      if (socket !== undefined) return this.#sockets.set(name, socket);
    }
    assert.equal(heard, this.#filled(text, name));
  }

  #filled(text, name) {
    return text.replace(/\{(?:(\w+)\.)?socket\}/g, (_, other) => this.#sockets.get(other ?? name) ?? '(no socket id)');
  }

  async #closed(name, end) {
    const speaker = this.#speaker(name);
    assert.equal(await within(8000, 'close', speaker.closed), end);
    assert.deepEqual(speaker.inbox.items, [], 'received before the close');
    speaker.isClosed = true;
  }

  async #leave(name) {
    const speaker = this.#speaker(name);
    await this.#nothingMore(name, speaker);
    speaker.ws.close(1000);
    await within(5000, 'close', speaker.closed);
    speaker.isClosed = true;
  }

  async #request(method, path, body = '', status, expected) {
    const app = this.apps.find(({ id }) => path.startsWith(`/apps/${id}/`));
    const [target, query] = path.split('?');
    const params = Object.fromEntries(new URLSearchParams(query ?? ''));
    const api = new Api(this.server, { app });
    const answer = await api.request({ method, path: target, body: this.#filled(body, ''), params });
    assert.equal(`${answer.status} ${answer.text}`, `${status} ${expected}`);
  }

  async #nothingMore(name, speaker) {
    speaker.ws.send('{"event":"pusher:ping","data":{}}');
    const next = await speaker.inbox.take('pong');
    assert.equal(next, '{"event":"pusher:pong","data":"{}"}', `"${name}" got what is not written`);
  }
}

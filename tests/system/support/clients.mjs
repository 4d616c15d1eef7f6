// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The clients of the tests: pusher-js and the official server library as users have them, and a small one over `ws`
// that shows every Pusher message as it came.

import PusherServer from 'pusher';
import Pusher from 'pusher-js';
import WebSocket from 'ws';
import { channelAuth, signinAuth } from './api.mjs';
import { within } from './deadline.mjs';
import { Inbox } from './inbox.mjs';

/** The official server library, bound to a server. */
export function officialPublisher(server, app = server.app) {
  return new PusherServer({
    appId: app.id, key: app.key, secret: app.secret, host: server.host, port: String(server.port), useTLS: false,
  });
}

function authorisation(app, socketId, channel, user) {
  if (!channel.startsWith('presence-')) return { auth: channelAuth(app, socketId, channel) };
  const channelData = JSON.stringify(user);
  return { auth: channelAuth(app, socketId, channel, channelData), channel_data: channelData };
}

/**
 * pusher-js, connected. Its authorizer signs with the app's secret unless `authorizer` is given; `user` is who it is in
 * presence channels: {user_id, user_info}.
 */
export async function pusherJs(server, { app = server.app, key = app.key, connect = true, user, ...options } = {}) {
  const pusher = new Pusher(key, {
    wsHost: server.host, wsPort: server.port, forceTLS: false, enabledTransports: ['ws'], cluster: 'none',
    enableStats: false,
    channelAuthorization: {
      customHandler: ({ socketId, channelName }, done) =>
        done(null, authorisation(app, socketId, channelName, user)),
    },
    ...options,
  });
  // Closed for good by the server, the library leaves a timer of 30 seconds behind that holds up the end of the process.
  const sockets = new Set();
  pusher.connection.bind('connected', () => sockets.add(pusher.connection.connection?.transport?.socket));
  server.own({
    close: () => {
      pusher.disconnect();
      for (const socket of sockets) if (socket?.readyState === 3) clearTimeout(socket._closeTimer);
    },
  });
  if (connect) await happens(pusher.connection, 'connected');
  return pusher;
}

/** The next time `emitter` (a pusher-js channel or connection) emits `event`. */
export function happens(emitter, event, ms = 5000) {
  const arrival = new Promise((resolve) => {
    const heard = (value) => {
      emitter.unbind(event, heard);
      resolve(value);
    };
    emitter.bind(event, heard);
  });
  return within(ms, event, arrival);
}

/** A Pusher client that interprets nothing. How many subscribers there are, which comes at any time, has an inbox of its own. */
export class PlainPusher {
  #resolveClosed;
  closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  inbox = new Inbox();
  counts = new Inbox();

  static async open(server, { app = server.app, key = app.key, query = '?protocol=7&client=test&version=1.0' } = {}) {
    const client = PlainPusher.start(server, { app, key, query });
    const hello = await client.event('pusher:connection_established');
    client.hello = JSON.parse(hello.data);
    client.socketId = client.hello.socket_id;
    return client;
  }

  /** Without waiting for the greeting. */
  static start(server, { app = server.app, key = app.key, query = '?protocol=7', headers } = {}) {
    const client = new PlainPusher();
    client.app = app;
    client.ws = new WebSocket(server.wsUrl(`/app/${key}${query}`), { perMessageDeflate: false, headers });
    client.ws.on('message', (text, isBinary) => {
      if (isBinary) client.inbox.push({ event: 'BINARY', data: text });
      else client.#sort(JSON.parse(text.toString()));
    });
    client.ws.on('error', (error) => (client.error = error));
    client.ws.on('close', (code, reason) => {
      for (const inbox of [client.inbox, client.counts]) {
        inbox.end(`closed with ${code} ${reason} ${client.error?.message ?? ''}`);
      }
      client.#resolveClosed({ code, reason: reason.toString() });
    });
    return server.own(client);
  }

  #sort(message) {
    const isCount = message.event === 'pusher_internal:subscription_count';
    (isCount ? this.counts : this.inbox).push(message);
  }

  send(event, data, channel) {
    this.sendText(JSON.stringify({ event, data, channel }));
  }
  sendText(text) {
    this.ws.send(text);
  }

  /** The next message of that event name (on that channel). */
  event(name, channel, ms) {
    const matches = (m) => m.event === name && (channel === undefined || m.channel === channel);
    return this.inbox.take(`${name}${channel ? ` on ${channel}` : ''}`, matches, ms);
  }

  error(code, ms) {
    return this.inbox.take(`pusher:error ${code}`, (m) => m.event === 'pusher:error' && m.data.code === code, ms);
  }

  /** `channelData`: what the backend of a presence channel says of the user, as text. */
  async subscribe(channel, channelData) {
    this.askToSubscribe(channel, channelData);
    return this.event('pusher_internal:subscription_succeeded', channel);
  }
  askToSubscribe(channel, channelData) {
    const needsAuth = /^(private|presence)-/.test(channel);
    const auth = needsAuth ? channelAuth(this.app, this.socketId, channel, channelData) : '';
    this.send('pusher:subscribe', { channel, auth, channel_data: channelData });
  }

  /** Signs in without waiting; `user` is what stands in user_data. */
  sendSignin(user, auth) {
    const userData = typeof user === 'string' ? user : JSON.stringify(user);
    this.send('pusher:signin', { auth: auth ?? signinAuth(this.app, this.socketId, userData), user_data: userData });
  }
  async signin(user) {
    this.sendSignin(user);
    return this.event('pusher:signin_success');
  }
  /** The next watchlist events: {online: [ids], offline: [ids]}. */
  async watchlist(ms) {
    const { events } = JSON.parse((await this.event('pusher_internal:watchlist_events', undefined, ms)).data);
    const groups = { online: [], offline: [] };
    for (const { name, user_ids: ids } of events) groups[name].push(...ids);
    return groups;
  }

  /** A round trip: everything sent before was handled, everything answered before was received. */
  async roundTrip() {
    this.send('pusher:ping', {});
    await this.event('pusher:pong');
  }

  closeWithin(ms = 5000) {
    return within(ms, 'close', this.closed);
  }
  close() {
    this.ws.terminate();
  }
}

/** A Feed subscriber: text frames in `inbox`. Rejects with {status} when the upgrade is refused. */
export class FeedReader {
  inbox = new Inbox();

  static open(server, channel, { key = server.app.key, auth, query } = {}) {
    const reader = new FeedReader();
    const search = query ?? `?key=${key}${auth ? `&auth=${auth}` : ''}`;
    reader.ws = new WebSocket(server.wsUrl(`/feed/${encodeURIComponent(channel)}${search}`), { perMessageDeflate: false });
    reader.ws.on('message', (data, isBinary) => reader.inbox.push({ data: data.toString(), isBinary }));
    reader.closed = new Promise((resolve) => {
      reader.ws.on('close', (code, reason) => {
        reader.inbox.end(`closed with ${code}`);
        resolve({ code, reason: reason.toString() });
      });
    });
    server.own(reader);
    return within(5000, `answer to the upgrade of feed ${channel}`, new Promise((resolve, reject) => {
      reader.ws.on('open', () => resolve(reader));
      reader.ws.on('unexpected-response', (request, response) => {
        request.destroy();
        reject(Object.assign(new Error(`refused with ${response.statusCode}`), { status: response.statusCode }));
      });
      reader.ws.on('error', reject);
    }));
  }

  text(ms) {
    return this.inbox.take('feed message', undefined, ms).then((m) => m.data);
  }
  close() {
    this.ws.terminate();
  }
}

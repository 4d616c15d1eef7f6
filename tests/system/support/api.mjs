// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The signed HTTP API, spoken without a library so that tests can also get it wrong on purpose.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import http from 'node:http';

export const md5 = (text) => createHash('md5').update(text).digest('hex');
export const hmac = (secret, text) => createHmac('sha256', secret).update(text).digest('hex');

/** Signed query string. `params` with value undefined are left out; those given override the right ones. */
export function signedQuery(app, { method, path, body = '', params = {} }) {
  const all = {
    auth_key: app.key,
    auth_timestamp: Math.floor(Date.now() / 1000),
    auth_version: '1.0',
    ...(body.length > 0 ? { body_md5: md5(body) } : {}),
    ...params,
  };
  const { auth_signature: given, ...rest } = all;
  const pairs = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key.toLowerCase()}=${value}`)
    .sort();
  const query = pairs.join('&');
  const right = hmac(app.secret, [method, path, query].join('\n'));
  if ('auth_signature' in params && given === undefined) return query;
  return `${query}&auth_signature=${typeof given === 'function' ? given(right) : given ?? right}`;
}

/** `METHOD target` of a signed request, for raw sockets: the path with its query. */
export const signedTarget = (app, request) => `${request.path}?${signedQuery(app, request)}`;

/** The authorisation a client sends for a private or presence channel. */
export function channelAuth(app, socketId, channel, channelData) {
  const text = [socketId, channel, ...(channelData === undefined ? [] : [channelData])].join(':');
  return `${app.key}:${hmac(app.secret, text)}`;
}

/** The authorisation of a sign-in. */
export const signinAuth = (app, socketId, userData) =>
  `${app.key}:${hmac(app.secret, `${socketId}::user::${userData}`)}`;

export const feedAuth = (app, channel) => `${app.key}:${hmac(app.secret, `feed:${channel}`)}`;

export class Api {
  constructor(server, { app = server.app, connections = 4 } = {}) {
    this.server = server;
    this.app = app;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: connections });
    server.own(this);
  }

  close() {
    this.agent.destroy();
  }

  /** {status, headers, text, json, socketPort}. `query` replaces the signed one. */
  request({ method = 'POST', path, body = '', params, query, headers = {} }) {
    const target = `${path}?${query ?? signedQuery(this.app, { method, path, body, params })}`;
    return new Promise((resolve, reject) => {
      const request = http.request({
        host: this.server.host,
        port: this.server.port,
        method,
        path: target,
        agent: this.agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
      });
      request.on('error', reject);
      request.on('response', (response) => {
        const socketPort = response.socket.localPort;
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode, headers: response.headers, text, socketPort });
        });
      });
      request.end(body);
    });
  }

  events(event, options = {}) {
    const body = typeof event === 'string' ? event : JSON.stringify(event);
    return this.request({ path: `/apps/${this.app.id}/events`, body, ...options });
  }

  batch(events, options = {}) {
    const body = typeof events === 'string' ? events : JSON.stringify({ batch: events });
    return this.request({ path: `/apps/${this.app.id}/batch_events`, body, ...options });
  }

  terminate(user, options = {}) {
    const path = `/apps/${this.app.id}/users/${encodeURIComponent(user)}/terminate_connections`;
    return this.request({ path, body: '{}', ...options });
  }

  /** Publishes and insists on success. */
  async publish(channel, name, data, more = {}) {
    const answer = await this.events({ name, channel, data, ...more });
    assert.equal(answer.status, 200, answer.text);
  }

  /** Publishes any number of events in batches of ten, in order; insists on success. */
  async publishAll(events) {
    for (let i = 0; i < events.length; i += 10) {
      const answer = await this.batch(events.slice(i, i + 10));
      assert.equal(answer.status, 200, answer.text);
    }
  }
}

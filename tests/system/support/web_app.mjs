// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A web application as users of the libraries have one: pages, the libraries' browser builds, and the two endpoints that
// authorise channels and sign users in, answered by the official server library. Who the user is stands in the URL.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import PusherServer from 'pusher';
import { within } from './deadline.mjs';

const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const library = (file) => readFileSync(path.join(folder, 'node_modules', file));

const files = {
  '/pusher-js': ['text/html', () => readFileSync(path.join(folder, 'pages/pusher_js.html'))],
  '/echo': ['text/html', () => readFileSync(path.join(folder, 'pages/echo.html'))],
  '/page.js': ['text/javascript', () => readFileSync(path.join(folder, 'pages/page.js'))],
  '/page.css': ['text/css', () => readFileSync(path.join(folder, 'pages/page.css'))],
  '/lib/pusher.js': ['text/javascript', () => library('pusher-js/dist/web/pusher.js')],
  '/lib/pusher-with-encryption.js': ['text/javascript', () => library('pusher-js/dist/web/pusher-with-encryption.js')],
  '/lib/pusher.mjs': ['text/javascript', () => 'export default window.Pusher;'],
  '/lib/echo.js': ['text/javascript', () => library('laravel-echo/dist/echo.js')],
};

export class WebApp {
  #sockets = new Set();

  /** Beside its own files it serves `pages`: {path: HTML}. */
  static async start(server, { pages = {} } = {}) {
    const app = new WebApp();
    const { id: appId, key, secret } = server.app;
    app.pages = pages;
    app.backend = new PusherServer({
      appId, key, secret, host: server.host, port: String(server.port), useTLS: false, timeout: 10_000,
      encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString('base64'),
    });
    app.http = http.createServer((request, response) => app.#answer(request, response));
    app.http.on('connection', (socket) => {
      app.#sockets.add(socket);
      socket.on('close', () => app.#sockets.delete(socket));
    });
    await within(5000, 'listening', new Promise((resolve) => app.http.listen(0, '127.0.0.1', resolve)));
    app.port = app.http.address().port;
    return app;
  }

  url(page) {
    return `http://127.0.0.1:${this.port}${page}`;
  }

  async #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, this.url('/'));
    const body = [];
    for await (const chunk of request) body.push(chunk);
    const form = Object.fromEntries(new URLSearchParams(Buffer.concat(body).toString()));
    const send = (type, content) => response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(content);
    if (pathname in files) return send(files[pathname][0], files[pathname][1]());
    if (pathname in this.pages) return send('text/html', this.pages[pathname]);
    const user = searchParams.get('user') ?? 'ann';
    if (pathname === '/auth') return send('application/json', JSON.stringify(this.#authorise(form, user)));
    if (pathname === '/user-auth')
      return send('application/json', JSON.stringify(this.backend.authenticateUser(form.socket_id, { id: user })));
    response.writeHead(pathname === '/favicon.ico' ? 204 : 404).end();
  }

  /** user_info has an id too, as Laravel's presence channels return the user itself. */
  #authorise({ socket_id: socket, channel_name: channel }, user) {
    const info = { id: user, name: user[0].toUpperCase() + user.slice(1) };
    const who = channel.startsWith('presence-') ? { user_id: user, user_info: info } : undefined;
    return this.backend.authorizeChannel(socket, channel, who);
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.http.close();
  }
}

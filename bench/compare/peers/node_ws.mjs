// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// node with ws, as its documentation broadcasts: /sub/CHANNEL listens, each message on /pub/CHANNEL goes to all who listen.
import { createRequire } from 'node:module';

const { WebSocketServer, WebSocket } = createRequire(`${process.argv[3]}/`)('ws');
const channels = new Map();
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), perMessageDeflate: false, clientTracking: false });
server.on('connection', (socket, request) => {
  const [, role, name] = request.url.split('/');
  if (!channels.has(name)) channels.set(name, new Set());
  const listeners = channels.get(name);
  if (role === 'sub') {
    listeners.add(socket);
    socket.on('close', () => listeners.delete(socket));
  } else {
    socket.on('message', (data) => {
      for (const listener of listeners) if (listener.readyState === WebSocket.OPEN) listener.send(data, { binary: false });
    });
  }
  socket.on('error', () => socket.terminate());
});
server.on('listening', () => console.log('ready'));

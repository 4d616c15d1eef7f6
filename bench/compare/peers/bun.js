// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Bun's built-in publish: /sub/CHANNEL listens, each message on /pub/CHANNEL goes to all who listen.
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch(request, server) {
    const [, role, channel] = new URL(request.url).pathname.split('/');
    return server.upgrade(request, { data: { role, channel } }) ? undefined : new Response('a WebSocket is wanted', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      if (socket.data.role === 'sub') socket.subscribe(socket.data.channel);
    },
    message(socket, text) {
      if (socket.data.role === 'pub') server.publish(socket.data.channel, text);
    },
  },
});
console.log('ready');

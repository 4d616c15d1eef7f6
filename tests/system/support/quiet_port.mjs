// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A port for who cannot be given port 0, or where nobody is to listen. It is none of those that the kernel hands out
// (ip_local_port_range begins at 32768), so that nothing else comes by it between now and its use.

import net from 'node:net';

const [first, count] = [20_000, 10_000];

export async function quietPort(host = '127.0.0.1') {
  for (;;) {
    const port = first + Math.floor(Math.random() * count);
    const probe = net.createServer();
    const isFree = await new Promise((resolve) => probe.once('error', () => resolve(false)).listen(port, host, () => resolve(true)));
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

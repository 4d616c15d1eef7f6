// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Large messages are shared, not copied: one frame in memory, however many clients wait for it.

import assert from 'node:assert/strict';
import { Api } from './support/api.mjs';
import { until } from './support/deadline.mjs';
import { FrameClient, op } from './support/frame_client.mjs';
import { onCores } from './support/server.mjs';

const MiB = 1024 * 1024;
const clients = 1000;
const app = { id: 'large', key: 'large-key', secret: 'large-secret' };
const toml = `[[app]]\nid = "${app.id}"\nkey = "${app.key}"\nsecret = "${app.secret}"\nmax_event_bytes = ${MiB}\n`;
const flags = ['--max-http-body', '2MiB', '--queue-bytes', '4MiB', '--socket-send-buffer', '64KiB', '--write-timeout', '60s'];

onCores('messages of 1 MiB', { toml, app, flags }, (group) => {
  group('R16 H3 to a thousand clients cost one frame each, not a thousand', async (server) => {
    const opened = await Promise.all(Array.from({ length: clients }, () =>
      FrameClient.open(server, `/feed/large?key=${app.key}`)));
    for (const client of opened) client.raw.socket.pause();
    const api = new Api(server, { connections: 1 });
    await api.publish('large', 'e', 'a small one first');
    const before = server.residentBytes();
    for (let n = 0; n < 3; n++) await api.publish('large', 'e', `${n}${'x'.repeat(MiB - 1)}`);
    await until('all of them wait', async () => (await server.metric('spillway_queued_messages')) === 3 * clients);
    const grown = server.residentBytes() - before;
    // Three frames, the bodies they came in, outflows and entries; the kernel's socket buffers are not the process's.
    assert.ok(grown < 24 * MiB, `grew by ${(grown / MiB).toFixed(1)} MiB`);

    const reader = opened[0];
    reader.raw.socket.resume();
    for (const expected of ['a', '0', '1', '2']) {
      const frame = await reader.frame(20_000);
      assert.equal(frame.opcode, op.text);
      assert.equal(String.fromCharCode(frame.payload[0]), expected);
      if (expected !== 'a') assert.equal(frame.payload.length, MiB);
    }
    for (const client of opened) client.raw.socket.destroy();
    await server.untilClients(0);
    await until('nothing waits any more', async () => (await server.metric('spillway_queued_messages')) === 0);
  });
});

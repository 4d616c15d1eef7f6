// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Silence and what comes of it: peers that are gone without a word are found and their descriptors come back; nobody who
// answers is cut, however much is sent meanwhile.

import assert from 'node:assert/strict';
import { Api } from './support/api.mjs';
import { FeedReader } from './support/clients.mjs';
import { until } from './support/deadline.mjs';
import { FrameClient, op } from './support/frame_client.mjs';
import { onCores } from './support/server.mjs';

// Long enough for those who answer on a machine that is busy elsewhere.
const fleeting = { flags: ['--ping-interval', '300ms', '--pong-timeout', '1500ms', '--read-timeout', '4s'] };

onCores('liveness with short times', fleeting, (group) => {
  group('S3 R4 half-open peers are reaped and their descriptors return', async (server) => {
    const descriptors = server.descriptors();
    const alive = await FeedReader.open(server, 'calm');
    const closed = { code: '4201' };
    const before = await server.metric('spillway_client_closes_total', closed);
    const gone = await Promise.all(Array.from({ length: 40 }, (_, i) =>
      FrameClient.open(server, i % 2 ? '/app/app-key?protocol=7' : '/feed/calm?key=app-key')));
    for (const client of gone) client.raw.socket.pause(); // reads nothing, answers nothing, never ends
    await server.untilMetric('spillway_client_closes_total', closed, before + 40);
    await until('the descriptors are back', () => server.descriptors() <= descriptors + 1);
    await server.untilMetric('spillway_stale_clients', {}, 0);
    assert.equal(await server.clients(), 1);
    await new Api(server, { connections: 1 }).publish('calm', 'e', 'still here');
    assert.equal(await alive.text(), 'still here');
  });

  group('S3 a busy listener is pinged all the same, one that does not answer is cut', async (server) => {
    const api = new Api(server, { connections: 1 });
    const deaf = await FrameClient.open(server, '/feed/busy?key=app-key');
    const listener = await FeedReader.open(server, 'busy');
    let pings = 0;
    listener.ws.on('ping', () => pings++);
    let code = 0;
    const reading = (async () => {
      for (let next = await deaf.frame(); next; next = await deaf.frame())
        if (next.opcode === op.close) code = next.payload.readUInt16BE(0);
    })();
    await until('the deaf one is closed and the listener was pinged twice', async () => {
      await api.publish('busy', 'e', 'news');
      return code !== 0 && pings >= 2;
    });
    await reading;
    assert.equal(code, 4201);
    await server.untilMetric('spillway_clients', { kind: 'feed' }, 1);
  });
});

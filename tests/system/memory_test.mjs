// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Memory has a limit: what is withheld when it is reached, in which order, and that it ends.

import assert from 'node:assert/strict';
import { Api } from './support/api.mjs';
import { FeedReader } from './support/clients.mjs';
import { residencyTells, until } from './support/deadline.mjs';
import { FrameClient, op, upgradeHead } from './support/frame_client.mjs';
import { RawSocket } from './support/raw_socket.mjs';
import { onCores } from './support/server.mjs';

const MiB = 1024 * 1024;
const toml = `
[[app]]
id = "app-id"
key = "app-key"
secret = "app-secret"
max_event_bytes = "1MiB"
`;
const app = { id: 'app-id', key: 'app-key', secret: 'app-secret' };
const kinds = ['frames', 'queues', 'clients', 'channels', 'cache', 'buffers', 'history'];

async function sleepers(server, channel, n) {
  const all = [];
  for (let done = 0; done < n; done += 50) {
    all.push(...(await Promise.all(Array.from({ length: Math.min(50, n - done) }, async () => {
      const client = await FrameClient.open(server, `/feed/${channel}?key=${app.key}`);
      client.raw.socket.pause();
      return client;
    }))));
  }
  return all;
}

async function accounted(server) {
  const metrics = await server.metrics();
  return kinds.reduce((sum, kind) => sum + metrics.sum('spillway_memory_bytes', { kind }), 0);
}

const limit = 160 * MiB;
const limited = ['--memory-limit', '160MiB', '--backlog-bytes', '0', '--queue-bytes', '32MiB', '--socket-send-buffer', '16KiB',
  '--max-http-body', '2MiB'];

onCores('a memory limit', { toml, app, flags: limited }, (group) => {
  group('B1 the worst load stays below it; clients, then backlogs, then publications are let go, and it ends', async (server) => {
    const idle = server.residentBytes();  // some 20 MiB: code, rings, one connection
    const reader = await FeedReader.open(server, 'well');
    const slow = [];
    for (let i = 0; i < 40; i++) slow.push(...(await sleepers(server, `flood-${i}`, 2)));
    const api = new Api(server, { connections: 4 });
    const body = 'x'.repeat(900_000);
    let peak = 0;
    let critical = false;
    let refused = 0;
    const flood = async (lane) => {
      for (let n = 0; n < 150 && refused < 20; n++) {
        const { status } = await api.events({ name: 'e', channel: `flood-${(n * 4 + lane) % 40}`, data: body });
        if (status === 503) refused++;
        else assert.equal(status, 200);
        peak = Math.max(peak, server.residentBytes());
      }
    };
    let told = null;
    let turnedAway = null;
    const watch = async () => {
      for (;;) {
        const { text } = await server.page('/stats');
        const stats = JSON.parse(text);
        critical ||= stats.health.status === 'critical';
        if (stats.memory_stage >= 1 && told === null) {
          const raw = await RawSocket.connect(server);
          raw.write(upgradeHead(`/feed/new?key=${app.key}`));
          turnedAway = (await raw.response()).status;
          const client = await FrameClient.open(server, `/app/${app.key}?protocol=7`);
          for (let next; told === null && (next = await client.frame(5000)) !== null;)
            if (next.opcode === op.close) told = next.payload.readUInt16BE(0);
        }
        if (over) return;
      }
    };
    let over = false;
    const watching = watch();
    await Promise.all([0, 1, 2, 3].map(flood));
    over = true;
    await watching;
    assert.ok(refused > 0, 'publications were refused');
    assert.ok((await server.metric('spillway_client_closes_total', { code: '4100', reason: 'memory' })) > 0, 'backlogs were cut');
    assert.ok(peak - idle <= limit * 1.1, `grew by ${(peak - idle) / MiB} MiB`);
    if (turnedAway !== null) assert.equal(turnedAway, 503);
    if (told !== null) assert.equal(told, 4100);
    await until('health was critical', async () => critical ||
      (critical = JSON.parse((await server.page('/stats')).text).health.status === 'critical'));
    for (const client of slow) client.raw.close();
    await server.untilMetric('spillway_memory_stage', {}, 0, 15_000);
    const health = async () => JSON.parse((await server.page('/stats')).text).health;
    await until('health is not critical', async () => (await health()).status !== 'critical', 15_000);
    await api.publish('well', 'e', 'still here');
    assert.equal(await reader.text(), 'still here');
    assert.equal((await server.page('/healthz')).status, 200);
  }, { ms: 60_000 });
});

onCores('accounting', { toml, app, flags: ['--queue-bytes', '4MiB', '--socket-send-buffer', '16KiB', '--max-http-body', '2MiB'] }, (group) => {
  if (residencyTells) group('B1 the sum of all kinds grows as resident memory does, within a fifth and 16 MiB', async (server) => {
    const [residentBefore, before] = [server.residentBytes(), await accounted(server)];
    for (let i = 0; i < 20; i++) await sleepers(server, `c${i}`, 10);
    const api = new Api(server, { connections: 4 });
    const body = 'x'.repeat(500_000);
    await Promise.all(Array.from({ length: 100 }, (_, n) => api.publish(`c${n % 20}`, 'e', body)));
    await server.untilMetric('spillway_queued_messages', {}, (n) => n >= 900);
    await until('the sum is near what is resident', async () => {
      const [resident, sum] = [server.residentBytes() - residentBefore, (await accounted(server)) - before];
      return Math.abs(resident - sum) <= resident / 5 + 16 * MiB;
    });
  });
  const slowClients = Number(process.env.SPILLWAY_SLOW_CLIENTS ?? 200);
  group(`B1 messages of a mebibyte to ${slowClients} that do not read are shared`, async (server) => {
    const before = server.residentBytes();
    await sleepers(server, 'big', slowClients);
    const api = new Api(server, { connections: 1 });
    for (let n = 0; n < 3; n++) await api.publish('big', 'e', 'x'.repeat(1_000_000));
    await server.untilMetric('spillway_queued_messages', {}, (n) => n >= 2 * slowClients);
    const grown = server.residentBytes() - before;
    assert.ok(grown < 48 * MiB, `grew by ${grown / MiB} MiB: one copy of each for all`);
  });
});

onCores('a budget of backlogs', { toml, app, flags: ['--backlog-bytes', '4MiB', '--socket-send-buffer', '16KiB'] }, (group) => {
  group('B1 bounds what waits for all together; each loss is counted, and who reads loses nothing', async (server) => {
    const reader = await FeedReader.open(server, 'all');
    await sleepers(server, 'all', 40);
    const api = new Api(server, { connections: 1 });
    for (let n = 0; n < 60; n++) {
      await api.publish('all', 'e', `${n} ${'x'.repeat(50_000)}`);
      assert.equal(parseInt(await reader.text(), 10), n);
    }
    const metrics = await server.metrics();
    assert.ok(metrics.sum('spillway_dropped_total', { reason: 'memory', priority: 'normal' }) > 0);
    assert.ok(metrics.sum('spillway_queued_bytes') <= 4 * MiB + 50_000 * 2);
  });
});

onCores('memory for reuse', { cores: [1], toml, app, flags: ['--queue-bytes', '8MiB', '--socket-send-buffer', '16KiB'] }, (group) => {
  group('a burst is not remembered: what it needed goes when nobody needs it', async (server) => {
    const frames = { kind: 'frames' };
    const slow = await sleepers(server, 'all', 3);
    const api = new Api(server, { connections: 1 });
    for (let n = 0; n < 60; n++) await api.publish('all', 'e', 'x'.repeat(50_000));
    await server.untilMetric('spillway_memory_bytes', frames, (bytes) => bytes > 2 * MiB);
    for (const client of slow) client.close();
    await server.untilMetric('spillway_messages_held', {}, 0);
    await server.untilMetric('spillway_memory_bytes', frames, (bytes) => bytes < 64 * 1024, 15_000);
    await server.untilMetric('spillway_memory_bytes', { kind: 'queues' }, (bytes) => bytes < 16 * 1024, 15_000);
  });
});

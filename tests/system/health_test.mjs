// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How the server judges itself, by real causes: each takes it from healthy to a warning to critical, and back when the cause
// is gone. Each change is one line in the log; critical alone turns /readyz red.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Api } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { deadline, residencyTells, until } from './support/deadline.mjs';
import { FrameClient, upgradeHead } from './support/frame_client.mjs';
import { RawSocket } from './support/raw_socket.mjs';
import { Server } from './support/server.mjs';

const MiB = 1024 * 1024;
const app = { id: 'app-id', key: 'app-key', secret: 'app-secret' };
const apps = `
[[app]]
id = "app-id"
key = "app-key"
secret = "app-secret"
max_event_bytes = "1MiB"
`;
const numbers = { healthy: 0, warning: 1, critical: 2 };
const statsOf = async (server) => JSON.parse((await server.page('/stats')).text);

/** Does `cause` again and again until the server calls itself `status`, and looks at what it tells whom. */
async function becomes(server, status, reason, cause = () => {}) {
  let health;
  await until(() => `the server is ${status} by ${reason}; it says ${JSON.stringify(health)}`, async () => {
    await cause();
    health = (await statsOf(server)).health;
    return health.status === status && (status === 'healthy' || health.reasons.some((text) => text.startsWith(`${reason} is `)));
  }, 30_000);
  const ready = await server.page('/readyz');
  assert.equal(ready.status, status === 'critical' ? 503 : 200, ready.text);
  if (status === 'critical') assert.match(ready.text, new RegExp(reason));
  assert.equal((await server.page('/healthz')).status, 200);
  assert.equal(await server.metric('spillway_health_status'), numbers[status]);
  const line = status === 'healthy' ? 'info health: healthy' : `warn health: ${status}; `;
  await until(() => `the log has "${line}"`, () => server.stderr.includes(line));
}

/** A busy machine makes loops late and broadcasts slow: each cause is to be the only one. */
const aside = ['--health-loop-lag-warning', '0', '--health-loop-lag-critical', '0'];

/** A server of its own for each; they run side by side, because getting better takes ten seconds. */
function byCause(name, options, body) {
  it(name, { timeout: deadline(75_000) }, async () => {
    const server = await Server.start({ cores: 2, app, ...options, flags: [...aside, ...(options.flags ?? [])] });
    try {
      assert.equal((await statsOf(server)).health.status, 'healthy');
      await body(server);
      server.closeClients();
      await becomes(server, 'healthy', 'nothing');
      const lines = server.stderr.split('\n').filter((line) => line.includes(' health: '));
      assert.ok(lines.length >= 3 && lines.length <= 12, `a line for each change: ${lines.join('\n')}`);
    } catch (error) {
      error.message += server.story();
      throw error;
    } finally {
      await server.stop();
    }
  });
}

/** A feed that reads nothing more. */
async function sleeper(server, channel) {
  const client = server.own(await FrameClient.open(server, `/feed/${channel}?key=${app.key}`));
  client.raw.socket.pause();
  return client;
}

describe('health by real causes', { concurrency: true }, () => {
  byCause('B6 B7 answers 5xx: over 5 % is a warning, over 25 % critical', { toml: apps, flags: ['--max-clients', '1'] }, async (server) => {
    await PlainPusher.open(server);
    const api = new Api(server);
    const served = async () => assert.equal((await api.request({ method: 'GET', path: `/apps/${app.id}/channels` })).status, 200);
    const refused = async () => {
      const raw = await RawSocket.connect(server);
      raw.write(upgradeHead(`/feed/full?key=${app.key}`));
      assert.equal((await raw.response()).status, 503);
      raw.close();
    };
    await becomes(server, 'warning', 'errors', async () => {
      for (let i = 0; i < 22; i++) await served();
      for (let i = 0; i < 2; i++) await refused();
    });
    await becomes(server, 'critical', 'errors', refused);
  });

  const shallow = ['--queue-messages', '16', '--socket-send-buffer', '16KiB', '--write-timeout', '120s', '--max-http-body', '2MiB'];
  byCause('B6 B7 dropped deliveries: over 1 % is a warning, over 10 % critical', { toml: apps, flags: shallow }, async (server) => {
    const readers = await Promise.all(Array.from({ length: 30 }, () => FeedReader.open(server, 'many')));
    await sleeper(server, 'many');
    const alone = await FeedReader.open(server, 'few');
    for (let i = 0; i < 3; i++) await sleeper(server, 'few');
    const api = new Api(server);
    const flood = (channel, last) => async () => {
      await api.publishAll(Array.from({ length: 10 }, () => ({ name: 'e', channel, data: 'x'.repeat(50_000) })));
      for (const reader of last) for (let i = 0; i < 10; i++) await reader.text();
    };
    await becomes(server, 'warning', 'drops', flood('many', readers));
    await becomes(server, 'critical', 'drops', flood('few', [alone]));
  });

  const roomy = ['--memory-limit', '160MiB', '--backlog-bytes', '0', '--queue-bytes', '64MiB', '--socket-send-buffer', '16KiB',
    '--write-timeout', '120s', '--health-queues-warning', '0', '--health-queues-critical', '0'];
  if (residencyTells) byCause('B1 B7 memory: over half of the limit is a warning, over nine tenths critical', { toml: apps, flags: roomy }, async (server) => {
    for (let i = 0; i < 4; i++) await sleeper(server, `held-${i}`);
    const api = new Api(server);
    let next = 0;
    const upTo = (share) => async () => {
      const stats = await statsOf(server);
      const { resident, sockets_estimate: kernel, ...kinds } = stats.memory_bytes;
      const used = Math.max(server.ownResidentBytes(), Object.values(kinds).reduce((a, b) => a + b, kernel));
      if (used < stats.memory_limit * share) await api.publish(`held-${next++ % 4}`, 'e', 'x'.repeat(MiB / 2));
    };
    await becomes(server, 'warning', 'memory', upTo(0.6));
    await becomes(server, 'critical', 'memory', upTo(0.95));
    assert.equal(await server.metric('spillway_client_closes_total', { reason: 'memory' }), 0, 'nothing had to be let go yet');
  });

  const watchful = ['--ping-interval', '1s', '--pong-timeout', '12s'];
  byCause('B7 S3 clients that answer no ping: over 5 % are a warning, over half critical', { toml: apps, flags: watchful }, async (server) => {
    const well = await Promise.all(Array.from({ length: 30 }, () => FeedReader.open(server, 'well')));
    const silent = [];
    for (let i = 0; i < 5; i++) silent.push(await sleeper(server, 'well'));
    await becomes(server, 'warning', 'stale');
    for (const reader of well) reader.close();
    await becomes(server, 'critical', 'stale');
    await server.untilMetric('spillway_client_closes_total', { code: '4201' }, silent.length, 20_000);
  });

  // A millisecond is long for a broadcast, and a minute is never.
  const late = `[server]\nhealth_latency_warning = "1ms"\nhealth_latency_critical = "60s"\n${apps}`;
  byCause('B7 late broadcasts: thresholds come with a reload', { toml: late }, async (server) => {
    const readers = await Promise.all(Array.from({ length: 100 }, () => FeedReader.open(server, 'late')));
    const api = new Api(server);
    const burst = async () => {
      await api.publishAll(Array.from({ length: 20 }, () => ({ name: 'e', channel: 'late', data: 'x'.repeat(20_000) })));
      for (const reader of readers) for (let i = 0; i < 20; i++) await reader.text();
    };
    await becomes(server, 'warning', 'latency_p95', burst);
    await server.reload(`[server]\nhealth_latency_warning = "1ms"\nhealth_latency_critical = "1ms"\n${apps}`);
    await becomes(server, 'critical', 'latency_p95', burst);
  });
});

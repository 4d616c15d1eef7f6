// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What watches the server at night: the page Prometheus reads, the alerts and the dashboard in tools/monitoring, and the
// figures of single cores. promtool is Debian's, of its package prometheus; without it those tests are skipped.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Api } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { deadline, within } from './support/deadline.mjs';
import { onCores } from './support/server.mjs';

const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../tools/monitoring');
const read = (name) => readFileSync(path.join(folder, name), 'utf8');
const withPromtool = {
  skip: spawnSync('promtool', ['--version']).status === 0 ? false : 'no promtool here',
  timeout: deadline(30_000),
};

/** Runs promtool with `input`; what it said, when it ended with 0. */
async function promtool(args, input = '') {
  const child = spawn('promtool', args, { cwd: folder });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  child.stdin.end(input);
  const code = await within(25_000, `end of promtool ${args.join(' ')}`, new Promise((resolve) => child.on('close', resolve)));
  assert.equal(code, 0, said);
  return said;
}

const namesIn = (text) => new Set(text.match(/\bspillway_[a-z0-9_]+/g));

it('B9 the alert rules are well-formed', withPromtool, () => promtool(['check', 'rules', 'alerts.yml']));

it('B9 each alert fires for what it says, and none for a server that works', withPromtool, async () => {
  await promtool(['test', 'rules', 'alerts_test.yml']);
  const tested = read('alerts_test.yml');
  for (const [, name] of read('alerts.yml').matchAll(/- alert: (\w+)/g))
    assert.ok(tested.includes(`alertname="${name}"`), `no test of ${name}`);
});

it('B9 each alert says what it means and what to do', () => {
  const alerts = read('alerts.yml').split('- alert: ').slice(1);
  assert.ok(alerts.length >= 10);
  for (const alert of alerts) for (const key of ['severity: ', 'summary: "', 'runbook: "']) assert.ok(alert.includes(key), alert);
});

it('B9 the README says of each alert what it means and what to do first', () => {
  const readme = readFileSync(path.resolve(folder, '../../README.md'), 'utf8');
  const told = new Set(readme.match(/^\| [A-Za-z, ]+ \|.*\|.*\|$/gm).flatMap((row) => row.split('|')[1].split(',').map((name) => `Spillway${name.trim()}`)));
  for (const [, name] of read('alerts.yml').matchAll(/- alert: (\w+)/g)) assert.ok(told.has(name), `${name} is not in the table of README.md`);
});

onCores('what is watched', {}, (group) => {
  group('B9 the dashboard and the alerts ask for metrics that exist', async (server) => {
    const { types } = await server.metrics();
    const exists = (name) => types.has(name) || (types.get(name.replace(/_(bucket|sum|count)$/, '')) === 'histogram');
    for (const file of ['alerts.yml', 'dashboard.json']) {
      const names = namesIn(read(file));
      assert.ok(names.size > 10, file);
      for (const name of names) assert.ok(exists(name), `${file}: ${name} is not on /metrics`);
    }
    const ids = JSON.parse(read('dashboard.json')).panels.map((panel) => panel.id);
    assert.equal(new Set(ids).size, ids.length, 'ids of panels');
  });

  group('B9 promtool finds nothing to say about /metrics', async (server) => {
    if (withPromtool.skip) return;
    assert.equal(await promtool(['check', 'metrics'], (await server.page('/metrics')).text), '');
  });

  group('S6 the cores add up to the whole, and are exact after churn', async (server, cores) => {
    const readers = [];
    for (let i = 0; i < 8; ++i) readers.push(await FeedReader.open(server, 'balance'));
    for (let round = 0; round < 3; ++round) {
      const passing = [];
      for (let i = 0; i < 8; ++i) passing.push(await PlainPusher.open(server));
      for (const client of passing) client.close();
    }
    await server.untilClients(8);
    const api = new Api(server);
    for (let i = 0; i < 10; ++i) await api.publish('balance', 'e', String(i));
    for (const reader of readers) for (let i = 0; i < 10; ++i) await reader.text();
    await server.untilMetric('spillway_core_deliveries_total', {}, (n) => n >= 80);
    const metrics = await server.metrics();
    assert.equal(metrics.sum('spillway_core_clients'), 8);
    assert.equal(metrics.sum('spillway_core_deliveries_total'), metrics.sum('spillway_deliveries_total'));
    for (const family of ['core_clients', 'core_deliveries_total', 'core_busy_seconds_total', 'core_queued_bytes', 'core_allocations_total',
      'core_allocated_bytes_total', 'core_cpu_seconds_total', 'core_cpu_wait_seconds_total', 'core_preemptions_total', 'loop_lag_seconds_count'])
      assert.deepEqual(metrics.all(`spillway_${family}`).map((s) => s.labels.core), [...Array(cores).keys()].map(String), family);
    // A sanitizer's operator new counts nothing.
    const counting = Number(process.env.SPILLWAY_TEST_SLOWNESS ?? 1) > 1 ? [] : ['core_allocations_total'];
    for (const family of ['core_busy_seconds_total', 'core_cpu_seconds_total', ...counting])
      for (const { value } of metrics.all(`spillway_${family}`)) assert.ok(value > 0, family);
    for (const reader of readers) reader.close();
    await server.untilMetric('spillway_core_clients', {}, 0);
    await server.untilMetric('spillway_core_queued_bytes', {}, 0);
    await server.untilMetric('spillway_messages_held', {}, 0);
  });

  group('S6 the queues of clients are looked at, and those of readers are empty', async (server) => {
    const [before, reader] = [await server.metrics(), await FeedReader.open(server, 'looked-at')];
    await server.untilMetric('spillway_queue_utilization_ratio_count', {}, (n) => n > before.sum('spillway_queue_utilization_ratio_count'));
    const empty = await server.metric('spillway_queue_utilization_ratio_bucket', { le: '0.00' });
    assert.ok(empty > before.sum('spillway_queue_utilization_ratio_bucket', { le: '0.00' }));
    reader.close();
  });

  group('B9 the buckets of broadcast latency are fine and exact, and slices tell whose time they took', async (server) => {
    const reader = await FeedReader.open(server, 'buckets');
    const api = new Api(server);
    for (let i = 0; i < 40; ++i) {
      await api.publish('buckets', 'e', 'x');
      await reader.text();
    }
    await server.untilMetric('spillway_slice_cpu_seconds_count', {}, (n) => n >= 2);
    const metrics = await server.metrics();
    for (const name of ['broadcast_seconds', 'slice_seconds', 'slice_cpu_seconds']) {
      const edges = metrics.all(`spillway_${name}_bucket`).map((b) => Number(b.labels.le.replace('+Inf', 'Infinity')));
      assert.ok(edges[0] <= 10e-6 && edges.at(-2) >= 30, name);
      for (let i = 1; i < edges.length - 1; ++i) assert.ok(edges[i] / edges[i - 1] <= 1.5 + 1e-6, `${name} ${edges[i]}`);
      assert.equal(metrics.all(`spillway_${name}_bucket`).at(-1).value, metrics.sum(`spillway_${name}_count`));
    }
    const [whole, watched] = ['', '_cpu'].map((kind) => metrics.sum(`spillway_slice${kind}_seconds_count`));
    assert.ok(watched >= Math.floor(whole / 16) - 1 && watched <= whole / 16 + 2, `${watched} of ${whole}`);
    assert.ok(metrics.sum('spillway_slice_preempted_seconds_total') >= 0);
    reader.close();
  });

  group('B9 /stats has the figures that were promised', async (server) => {
    const reader = await FeedReader.open(server, 'promised');
    await new Api(server).publish('promised', 'e', 'x');
    await reader.text();
    const stats = JSON.parse((await server.page('/stats')).text);
    assert.deepEqual(stats.connection_health, { active: 1, stale: 0, total: 1 });
    for (const key of ['p50', 'p95', 'p99']) assert.equal(typeof stats.last_seconds[key], 'number', key);
    for (const key of ['loop_lag', 'latency_p95', 'drops', 'errors', 'queues', 'stale', 'memory'])
      assert.equal(typeof stats.health.figures[key], 'number', key);
    for (const core of stats.per_core) for (const key of ['clients', 'deliveries', 'allocations', 'busy_seconds', 'cpu_wait_seconds'])
      assert.equal(typeof core[key], 'number', key);
    for (const key of ['published', 'deliveries', 'dropped']) assert.equal(typeof stats.per_second[key], 'number', key);
    for (const key of ['min', 'mean', 'p95', 'max']) assert.ok(stats.broadcast_seconds[key] > 0, key);
    assert.equal(typeof stats.memory_per_message_bytes, 'number');
    reader.close();
  });
});

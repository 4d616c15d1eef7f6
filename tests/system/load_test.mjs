// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The load generator, small: each way to publish, to measure and to compare runs against a real server, so that no
// yardstick rots. Figures are not judged here; that every message came once and in order is.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server } from './support/server.mjs';

const load = process.env.SPILLWAY_LOAD_BIN;
const limit = process.env.SPILLWAY_LIMIT_BIN;

describe('load generator', { skip: load ? false : 'SPILLWAY_LOAD_BIN is not set' }, () => {
  let server;
  let folder;
  before(async () => {
    server = await Server.start({ cores: 1, flags: ['--echo', '/echo'] });
    folder = mkdtempSync(path.join(tmpdir(), 'spillway-load-'));
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await server?.stop();
  });

  /** Plays it against the server; it must end with exit code 0. Returns what it wrote as JSON. */
  async function play(flags) {
    const json = path.join(folder, 'out.json');
    const watch = ['--port', server.port, '--metrics-port', server.metricsPort, '--pid', server.pid, '--json', json];
    const child = spawn(load, [...watch, '--limit', limit, ...flags.split(' ')].map(String), { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 0, `spillway-load ${flags}\n${said}${server.story()}`);
    return JSON.parse(readFileSync(json, 'utf8'));
  }

  const cases = {
    'closed loop, Feed, HTTP, with its answers timed': ['--scenario smoke', (o) => assert.equal(o.answer_ms.count, 20)],
    'closed loop, Pusher, 20 channels each, publisher WebSocket': [
      '--scenario smoke --publish ws --protocol pusher --channels 20 --subscriptions 20 --separate',
      (o) => assert.equal(o.deliveries, 20 * 50 * 20),
    ],
    'against bare passes': ['--scenario smoke --publish ws --against-limit --repeats 2', (o) => assert.equal(o.limit.ratios.length, 2)],
    'open loop with bursts and visitors': [
      '--scenario smoke --mode open --rate 200 --burst 5 --churn 200 --messages 60',
      (o) => assert.ok(o.visits > 0 && o.delivery_ms.count === 3000),
    ],
    'one large channel beside small ones': [
      '--scenario smoke --mode open --rate 100 --channels 5 --layout mixed',
      (o) => assert.equal(o.small_ms.count, 25 * 20),
    ],
    'flood with a channel aside': [
      '--scenario smoke --mode flood --aside 5 --aside-rate 500 --messages 300 --publish ws',
      (o) => assert.equal(o.deliveries, 300 * 50),
    ],
    'slow readers, each drop accounted for': [
      '--scenario smoke --slow 0.1 --size 8000 --messages 800 --publish ws',
      (o) => assert.ok(o.accounted && o.slow_expected === 5 * 802 && o.loaded.dropped > o.before.dropped),
    ],
    'a search with a plot': [
      `--scenario smoke --search p99=2000pass --rate 20000 --step 0.2 --precision 1.9 --publish ws --plot PLOT`,
      (o) => assert.ok(o.kept > 0 && o.bound_ms > 0 && o.steps.length > 1),
    ],
  };
  for (const [name, [flags, check]] of Object.entries(cases)) {
    it(name, { timeout: 30_000 }, async () => {
      const [outcome] = await play(flags.replace('PLOT', path.join(folder, 'plot.svg')));
      assert.ok(outcome.as_promised);
      check(outcome);
    });
  }

  it('C1: one channel against fifty', { timeout: 30_000 }, async () => {
    const outcomes = await play('--scenario smoke --channels 50 --against-single');
    assert.deepEqual(outcomes.map((o) => o.channels), [50, 1]);
  });
  it('a lone message against an echo', { timeout: 30_000 }, async () => {
    const outcome = await play('--scenario lone --messages 20 --echo /echo');
    assert.ok(outcome.delivery_us.count === 20 && outcome.echo_us.count === 20);
  });
  it('connects per second', { timeout: 30_000 }, async () => {
    const outcome = await play('--scenario connect --clients 100 --repeats 2');
    assert.equal(outcome.per_second.length, 2);
  });
  it('memory of idle clients', { timeout: 30_000 }, async () => {
    const outcome = await play('--scenario idle --idle 90');
    assert.deepEqual([outcome.few, outcome.many], [30, 90]);
  });
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Faults that an operator meets and that belong to no other file: a stop in the midst of a broadcast to a crowd, a core that
// is stuck, a restart under load as it is measured. SPILLWAY_TEST_SCALE=10 makes the crowd ten thousand.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Api } from './support/api.mjs';
import { deadline, until, within } from './support/deadline.mjs';
import { binary, Server } from './support/server.mjs';
import { hear } from './support/service_manager.mjs';

const support = path.join(path.dirname(fileURLToPath(import.meta.url)), 'support');
const scale = Number(process.env.SPILLWAY_TEST_SCALE ?? 1);

/** The lines that a child says, as they come: {next()}. */
function lines(child) {
  const said = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const all = (rest + text).split('\n');
    rest = all.pop();
    said.push(...all);
  });
  return { next: (what, ms) => until(what, () => said.shift(), ms) };
}

for (const cores of [1, 2]) {
  const n = 1000 * scale;
  it(`SIGTERM during broadcasts to ${n}: each hears whole frames without a gap, then 1012; exit 0 (--cores ${cores})`, { timeout: deadline(60_000) }, async () => {
    const server = await Server.start({ cores, flags: ['--max-clients', '0'] });
    const crowd = spawn(process.execPath, [path.join(support, 'crowd.mjs'), String(server.port), String(n), 'live'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const said = lines(crowd);
      assert.equal(await said.next('all are there', 30_000), 'all');
      const api = new Api(server, { connections: 1 });
      let published = 0;
      let over = false;
      const publishing = (async () => {
        while (!over) {
          const data = String(published).padStart(10, '0').padEnd(100, '.');
          const answer = await api.events({ name: 'e', channel: 'live', data }).catch(() => null);
          if (answer?.status !== 200) return;
          published++;
        }
      })();
      await until('broadcasts are under way', () => published >= 10);
      const start = Date.now();
      server.signal('SIGTERM');
      const end = await within(server.drainMs + 2000, 'exit', server.exited);
      const took = Date.now() - start;
      over = true;
      await publishing;
      assert.deepEqual(end, { code: 0, signal: null });
      assert.ok(took < deadline(server.drainMs), `${took} ms`);
      const told = JSON.parse(await said.next('the crowd tells'));
      assert.deepEqual({ codes: told.codes, broken: told.broken, gaps: told.gaps }, { codes: { 1012: n }, broken: 0, gaps: 0 });
      assert.ok(told.heard >= n, String(told.heard));
    } catch (error) {
      error.message += server.story();
      throw error;
    } finally {
      crowd.kill('SIGKILL');
      server.closeClients();
      server.kill();
    }
  });
}

/** The thread of a core: those alone are pinned to one CPU each, in their order. */
function coreThread(pid, core) {
  const pinned = readdirSync(`/proc/${pid}/task`).filter((tid) => {
    const cpus = readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8').match(/Cpus_allowed_list:\s+(\S+)/)[1];
    return /^\d+$/.test(cpus);
  });
  return pinned.map(Number).sort((a, b) => a - b)[core];
}

it('a core that is stuck: /healthz is red, the watchdog hears nothing more, and both end when it turns again', { timeout: deadline(60_000) }, async (t) => {
  const manager = await hear();
  const server = await Server.start({ cores: 2, env: { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: '200000' } });
  let stopper = null;
  try {
    const thread = coreThread(server.pid, 1);
    if (thread === undefined) return t.skip('cores are not pinned on a host with one CPU');
    const alive = () => manager.messages.filter((m) => m === 'WATCHDOG=1').length;
    await until('signs of life', () => alive() >= 3);
    stopper = spawn('python3', [path.join(support, 'stop_thread.py'), String(thread)], { stdio: ['pipe', 'pipe', 'pipe'] });
    let complaint = '';
    stopper.stderr.setEncoding('utf8').on('data', (text) => (complaint += text));
    const gone = once(stopper, 'exit');
    const stopped = await Promise.race([once(stopper.stdout, 'data'), gone.then(() => null)]);
    if (stopped === null) return t.skip(`threads cannot be stopped here: ${complaint}`);
    const red = await until('/healthz is red', async () => {
      const page = await server.page('/healthz');
      return page.status === 503 && page;
    }, 10_000);
    assert.match(red.text, /core 1 has not turned for \d+ ms/);
    assert.equal((await server.page('/readyz')).status, 503);
    let heard;
    await until('no sign of life is heard for the time of ten', async () => {
      heard = alive(); // one that was on its way may still come
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return alive() === heard;
    });
    stopper.stdin.end();
    await gone;
    await until('/healthz is green', async () => (await server.page('/healthz')).status === 200);
    await until('signs of life again', () => alive() > heard + 2);
    await server.stop();
  } catch (error) {
    error.message += server.story();
    throw error;
  } finally {
    stopper?.kill('SIGKILL');
    server.kill();
    manager.close();
  }
});

it('the measurement of a restart runs: everybody is back, nobody was refused', { timeout: deadline(60_000) }, async () => {
  const program = path.join(support, '../../../bench/restart/run');
  const words = [program, '--binary', binary, '--clients', '100', '--repeats', '1', '--ways', 'take-over,socket'];
  const child = spawn('python3', words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, said);
});

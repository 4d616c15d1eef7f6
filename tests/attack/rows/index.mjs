// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// All rows, in the order of their numbers, with those that are proven elsewhere or not yet.

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { frames } from './frames.mjs';
import { handshakes } from './handshakes.mjs';
import { operations } from './operations.mjs';
import { protocol } from './protocol.mjs';

const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const system = path.join(checkout, 'tests/system');
const cluster = { skipped: () => 'not yet: there is no clustering' };

/** Runs test files of the system tests: how many cases passed and failed. */
function cases(...files) {
  return new Promise((resolve) => {
    const env = { ...process.env };
    delete env.NODE_TEST_CONTEXT;
    execFile(process.execPath, ['--test', '--test-reporter=tap', ...files], { cwd: system, env, maxBuffer: 64 << 20 }, (_, out) => {
      const count = (what) => Number(out.match(new RegExp(`^# ${what} (\\d+)$`, 'm'))?.[1] ?? 0);
      resolve({ passed: count('pass'), failed: count('fail') + count('cancelled'), lenient: count('todo') + count('skipped') });
    });
  });
}

/** The files that A28 is about. */
const conformance = () => readdirSync(system).filter((file) => /^(conformance_.*|handshake)_test\.mjs$/.test(file));

/** Plays seeds of the simulation: what it says of them at the end. */
function simulation(seeds) {
  return new Promise((resolve) => {
    const child = execFile(path.join(checkout, 'tools/check'), ['sim', '--seeds', String(seeds)], { maxBuffer: 64 << 20 }, (_, out, err) => {
      resolve({ right: child.exitCode === 0, said: out.match(/^sim: (\d+ seeds, .*)$/m)?.[1] ?? '', failures: err.match(/^simulation: .*$/gm) ?? [] });
    });
  });
}

const elsewhere = [
  { id: 'A18', name: 'Redis killed, stopped, slow, back', ...cluster },
  { id: 'A19', name: 'NATS killed, stopped, slow, back', ...cluster },
  { id: 'A24', name: 'one of three nodes killed', ...cluster },
  {
    id: 'A28',
    name: 'conformance to RFC 6455',
    load: () => 'every case on one core and on two',
    skipped: (t) => (t.quick ? 'skipped: the quick run is part of the suite that has the cases' : null),
    async alone(t) {
      const { passed, failed, lenient } = await cases(...conformance());
      t.bar(failed === 0 && passed > 0, `${failed} failed`);
      t.bar(lenient === 0, `${lenient} were left out`);
      return `${passed} cases passed, ${failed} failed, ${lenient} non-strict`;
    },
  },
  {
    id: 'A29',
    name: 'simulation',
    load: () => '10000 seeds that nobody has played before',
    skipped: (t) => (t.quick ? 'skipped: a suite of its own' : null),
    async alone(t) {
      const { right, said, failures } = await simulation(10_000);
      t.bar(right && said !== '', failures[0] ?? 'it failed');
      return said;
    },
  },
];

export const rows = [...handshakes, ...frames, ...protocol, ...operations, ...elsewhere]
  .sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));

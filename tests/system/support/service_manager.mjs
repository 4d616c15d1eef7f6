// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A service manager's side of sd_notify(3), and what it starts a service through (service_manager.py).

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './deadline.mjs';

export const manager = path.join(path.dirname(fileURLToPath(import.meta.url)), 'service_manager.py');

/** Hears what a service says: {address, messages, close()}. */
export async function hear() {
  const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
  const address = path.join(folder, 'notify');
  const child = spawn('python3', [manager, 'hear', address], { stdio: ['ignore', 'pipe', 'inherit'] });
  const messages = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    messages.push(...lines.map((line) => JSON.parse(line)));
  });
  await until('it listens', () => messages.shift() === 'bound');
  const close = () => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  return { address, messages, close };
}

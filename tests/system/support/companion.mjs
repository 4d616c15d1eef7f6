// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// `spillway publish` and `spillway tail` as child processes, which read and write while a test looks on.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { within } from './deadline.mjs';
import { binary, cleanEnvironment } from './server.mjs';

/** A companion under way, started `through` another program. `input` is all of its standard input; null leaves it open. */
export class Companion {
  stdout = '';
  stderr = '';

  constructor(server, words, { env, input = '', through = [] } = {}) {
    this.words = words.join(' ');
    const [command, ...rest] = words;
    const url = server ? ['--url', server.wsUrl('')] : [];
    const [program, ...before] = [...through, binary];
    this.child = spawn(program, [...before, command, ...url, ...rest], { env: cleanEnvironment(env), stdio: 'pipe' });
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    this.child.stdin.on('error', () => {});  // it may leave before it has read all
    if (input !== null) this.child.stdin.end(input);
    this.closed = new Promise((resolve) => this.child.on('close', (code, signal) => resolve({ code, signal })));
    server?.own(this);
  }
  get lines() {
    return this.stdout.split('\n').slice(0, -1);
  }
  async ended(code, ms = 10_000) {
    const end = await within(ms, () => `end of ${this.words}; so far: ${this.stdout.slice(-300)}${this.stderr.slice(-300)}`, this.closed);
    assert.deepEqual(end, { code, signal: null }, `${this.words}: ${this.stderr.slice(-500)}`);
    return this;
  }
  close() {
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
  }
}

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A process beside the command: attackers and innocents have one each, so that neither slows the other's clock down, and each has
// descriptors of its own. Started as a program it does what it is told; `Helper` is the other side.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);

export class Helper {
  #next = 1;
  #waiting = new Map();

  /** `cpu`: the only one it may use, if given. */
  constructor(cpu) {
    const command = cpu === undefined ? [process.execPath, self] : ['taskset', '-c', String(cpu), process.execPath, self];
    this.child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
    this.child.on('message', ({ id, value, error }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(value);
      else reject(new Error(error));
    });
    this.child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the helper process ended'));
    });
  }

  /** Calls a function of crew.mjs there. */
  call(name, ...args) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.child.send({ id, name, args }, (error) => error && reject(error));
    });
  }

  kill() {
    for (const { resolve } of this.#waiting.values()) resolve(undefined);
    this.#waiting.clear();
    this.child.kill('SIGKILL');
  }
}

if (process.argv[1] === self) {
  const crew = await import('./crew.mjs');
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ id, name, args }) => {
    try {
      process.send({ id, value: await crew[name](...args) });
    } catch (error) {
      process.send({ id, error: `${name}: ${error.stack}` });
    }
  });
}

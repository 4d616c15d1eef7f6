// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The binary under test as a child process: started on free ports, asked through its metrics port, stopped by SIGTERM,
// which must end in exit code 0. `onCores` runs a group of tests against one server per number of cores.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { deadline, until, within } from './deadline.mjs';
import { Metrics } from './metrics.mjs';

const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const binary = path.resolve(process.env.SPILLWAY_BIN ?? path.join(checkout, 'build/release/spillway'));

/** The app that is in force when none is configured. */
export const developmentApp = { id: 'app-id', key: 'app-key', secret: 'app-secret' };

const clientKinds = ['pusher', 'feed', 'publisher', 'echo'];

/** The environment without settings of the server, which would leak into it. */
export function cleanEnvironment(extra = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('SPILLWAY_'));
  return { ...Object.fromEntries(kept), ...extra };
}

/** The command that starts the binary: `through` another program, or with that limit of descriptors. */
const command = (n, through = []) => (n ? ['sh', '-c', `ulimit -n ${n}; exec "$0" "$@"`, binary] : [...through, binary]);

export class Server {
  app = developmentApp;
  stdout = '';
  stderr = '';
  /** How the log began, whether that is still kept or not. */
  logStart = '';
  exit = null;
  #clients = [];
  #directory = null;
  #saidAll = false;
  #keptChars = 200_000;

  /**
   * Starts and waits for both ready lines. `toml` becomes a file given by --config. The last 200,000 characters of the log
   * are kept; with `wholeLog` all of it, for who must search all.
   */
  static async start({ flags = [], toml, cores, app, env, drainMs = 10_000, descriptorLimit, through, wholeLog = false } = {}) {
    const server = new Server();
    if (wholeLog) server.#keptChars = Infinity;
    if (app) server.app = app;
    server.drainMs = drainMs;
    const all = ['--port', '0', '--metrics-port', '0'];
    if (cores) all.push('--cores', String(cores));
    if (toml !== undefined) {
      server.#directory = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
      server.configFile = path.join(server.#directory, 'spillway.toml');
      writeFileSync(server.configFile, toml);
      all.push('--config', server.configFile);
    }
    server.#spawn([...all, ...flags], env, command(descriptorLimit, through));
    await server.#ready();
    return server;
  }

  #spawn(flags, env, start) {
    this.commandLine = [binary, ...flags].join(' ');
    const [program, ...words] = [...start, ...flags];
    this.child = spawn(program, words, { env: cleanEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] });
    this.pid = this.child.pid;
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      if (this.logStart.length < 200) this.logStart = (this.logStart + text).slice(0, 200);
      this.stderr = (this.stderr + text).slice(-this.#keptChars);
    });
    this.exited = new Promise((resolve) => {
      const over = () => {
        this.#saidAll = true;
        resolve(this.exit);
      };
      this.child.on('error', (error) => over((this.exit = { error })));
      this.child.on('exit', (code, signal) => (this.exit = { code, signal }));
      this.child.on('close', over); // not before the last it said was read
    });
  }

  async #ready() {
    const address = (what) => this.stdout.match(new RegExp(`${what} on http://(\\S+):(\\d+)`));
    try {
      await until('the server says where it listens', () => {
        // It may have been ready and have ended since: another one took over.
        if (address('listening') && address('metrics')) return true;
        if (this.#saidAll) throw new Error(`the server ended at start: ${JSON.stringify(this.exit)}`);
        return false;
      }, 10_000);
    } catch (error) {
      this.kill();
      error.message += this.story();
      throw error;
    }
    const [, host, port] = address('listening');
    this.host = host.replace(/^\[|\]$/g, '').replace(/^0\.0\.0\.0$/, '127.0.0.1');
    this.port = Number(port);
    this.metricsPort = Number(address('metrics')[2]);
  }

  /** For error messages: how it was started and the last it said. */
  story() {
    const tail = `${this.stdout.slice(-1500)}${this.stderr.slice(-6000)}`.trim();
    const end = this.exit ? `; ended with ${JSON.stringify(this.exit)}` : '';
    return `\n--- ${this.commandLine}${end}\n${tail}\n---`;
  }

  url(target) {
    return `http://${this.host}:${this.port}${target}`;
  }
  wsUrl(target) {
    return `ws://${this.host}:${this.port}${target}`;
  }

  /** A page of the metrics port: {status, headers, text}. On a connection of its own: a kept one would be counted. */
  page(target) {
    return new Promise((resolve, reject) => {
      const request = http.get({ host: '127.0.0.1', port: this.metricsPort, path: target, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece) => (text += piece)).on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      });
      request.on('error', reject);
    });
  }

  async metrics() {
    const { status, text } = await this.page('/metrics');
    assert.equal(status, 200, '/metrics');
    return new Metrics(text);
  }

  /** Sum of the samples of `name` whose labels contain `labels`; 0 when there are none. */
  async metric(name, labels = {}) {
    return (await this.metrics()).sum(name, labels);
  }

  async untilMetric(name, labels, expected, ms = 5000) {
    const holds = typeof expected === 'function' ? expected : (value) => value === expected;
    let last;
    const what = () => `${name}${JSON.stringify(labels)} is ${expected} (last: ${last})`;
    await until(what, async () => holds((last = await this.metric(name, labels))), ms);
    return last;
  }

  /** WebSocket clients of any kind; connections of the API and of the metrics port are none. */
  async clients() {
    const metrics = await this.metrics();
    return clientKinds.reduce((sum, kind) => sum + metrics.sum('spillway_clients', { kind }), 0);
  }

  async untilClients(expected, ms = 5000) {
    let last;
    await until(() => `there are ${expected} clients (last: ${last})`, async () => (last = await this.clients()) === expected, ms);
  }

  descriptors() {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** User and system time of the process so far. */
  cpuSeconds() {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** 0 of a process that ends right now. */
  residentBytes() {
    return this.#status('VmRSS');
  }

  /** Of these, those that no file holds as well: what is held against the memory limit. */
  ownResidentBytes() {
    return this.#status('RssAnon');
  }

  #status(field) {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(status.match(new RegExp(`${field}:\\s+(\\d+) kB`))?.[1] ?? 0) * 1024;
  }

  /** Something with close(), closed when the current test ends. */
  own(client) {
    this.#clients.push(client);
    return client;
  }

  closeClients() {
    for (const client of this.#clients.splice(0)) client.close();
  }

  signal(name) {
    if (!this.exit) process.kill(this.pid, name);
  }

  /** Writes the configuration anew, if given, and sends SIGHUP; waits until it is in force, or refused. */
  async reload(toml, result = 'taken') {
    if (toml !== undefined) {
      // At once: a signal that was sent before may make the server read now, and an empty file is the development app.
      writeFileSync(`${this.configFile}.new`, toml);
      renameSync(`${this.configFile}.new`, this.configFile);
    }
    const before = await this.metric('spillway_config_reloads_total', { result });
    this.signal('SIGHUP');
    // Signals that were sent before may be answered in the same moment.
    await this.untilMetric('spillway_config_reloads_total', { result }, (n) => n > before);
  }

  kill() {
    if (!this.exit && this.pid) process.kill(this.pid, 'SIGKILL');
    if (this.#directory) rmSync(this.#directory, { recursive: true, force: true });
  }

  /** SIGTERM; must exit with 0 within its drain timeout (and a margin for a loaded machine). */
  async stop() {
    this.closeClients();
    try {
      this.signal('SIGTERM');
      const end = await within(this.drainMs + 3000, 'exit after SIGTERM', this.exited);
      assert.deepEqual(end, { code: 0, signal: null }, 'how the server ended');
    } catch (error) {
      error.message += this.story();
      throw error;
    } finally {
      this.kill();
    }
  }
}

/**
 * A group of tests against one server for each number of cores. `define` gets `test(name, body, {ms})`; `body` gets the
 * server. What a body registers with server.own() is closed after it. Every test must leave the server running, without
 * clients and without subscriptions: that is how the next one finds it.
 */
export function onCores(title, { cores = [1, 2], ...options }, define) {
  for (const count of cores) {
    describe(`${title} (--cores ${count})`, () => {
      let server = null;
      before(async () => (server = await Server.start({ ...options, cores: count })));
      after(() => server?.stop());
      define((name, body, { ms = 20_000 } = {}) => {
        it(name, { timeout: deadline(ms) }, async () => {
          assert.ok(server, 'the server did not start');
          try {
            await body(server, count);
            assert.equal(server.exit, null, 'the server must still run');
            server.closeClients();
            await server.untilClients(0);
            await server.untilMetric('spillway_subscriptions', {}, 0);
          } catch (error) {
            error.message += server.story();
            throw error;
          } finally {
            server.closeClients();
          }
        });
      });
    });
  }
}

/** Runs the binary to its end: {code, stdout, stderr}. For commands, and for starts that must fail. */
export async function run(flags, { env, ms = 10_000, descriptorLimit, through } = {}) {
  const [program, ...words] = [...command(descriptorLimit, through), ...flags];
  const child = spawn(program, words, { env: cleanEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  const result = { stdout: '', stderr: '', code: null, signal: null };
  child.stdout.setEncoding('utf8').on('data', (text) => (result.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (result.stderr += text));
  const closed = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(Object.assign(result, { code, signal })));
  });
  try {
    return await within(ms, () => `end of "${flags.join(' ')}"; so far: ${result.stdout}${result.stderr}`, closed);
  } finally {
    if (result.code === null && result.signal === null) child.kill('SIGKILL');
  }
}

/** A TOML file in a directory of its own: {file, remove()}. */
export function tomlFile(text) {
  const directory = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
  const file = path.join(directory, 'spillway.toml');
  writeFileSync(file, text);
  return { file, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

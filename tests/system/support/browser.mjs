// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Headless Chromium, driven over its DevTools protocol: pages opened, scripts evaluated, screenshots taken.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import WebSocket from 'ws';
import { until, within } from './deadline.mjs';

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** Whether a browser is there; tools/install test installs one where the host has it as a package. */
export const hasBrowser = program !== undefined;

/** DevTools over one WebSocket: commands with answers, and events. */
class DevTools {
  #next = 1;
  #waiting = new Map();
  #listeners = [];

  static async connect(url) {
    const tools = new DevTools();
    tools.socket = new WebSocket(url, { perMessageDeflate: false });
    tools.socket.on('message', (text) => tools.#take(JSON.parse(text)));
    tools.socket.on('close', () => {
      for (const { reject } of tools.#waiting.values()) reject(new Error('the browser ended'));
    });
    await new Promise((resolve, reject) => tools.socket.once('open', resolve).once('error', reject));
    return tools;
  }

  #take(message) {
    if (message.id === undefined) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const { resolve, reject } = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error) reject(new Error(`${message.error.message} ${message.error.data ?? ''}`));
    else resolve(message.result);
  }

  listen(listener) {
    this.#listeners.push(listener);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
    return within(15_000, `answer of the browser to ${method}`, answer);
  }
}

/** One tab. What its page throws or reports to the console as an error is kept in `faults`. */
export class Page {
  faults = [];

  constructor(tools, sessionId) {
    this.tools = tools;
    this.sessionId = sessionId;
    tools.listen((event) => {
      if (event.sessionId !== sessionId) return;
      if (event.method === 'Runtime.exceptionThrown') {
        const { exceptionDetails: e } = event.params;
        this.faults.push(e.exception?.description ?? e.text);
      } else if (event.method === 'Log.entryAdded' && event.params.entry.level === 'error') {
        this.faults.push(`${event.params.entry.text} ${event.params.entry.url ?? ''}`);
      }
    });
  }

  send(method, params) {
    return this.tools.send(method, params, this.sessionId);
  }

  async go(url) {
    const answer = await this.send('Page.navigate', { url });
    if (answer.errorText) throw new Error(`${url}: ${answer.errorText}`);
    await this.until('document.readyState === "complete"');
  }

  close() {
    return this.send('Page.close');
  }

  /** The value of an expression in the page; promises are waited for. */
  async value(expression) {
    const { result, exceptionDetails: fault } = await this.send('Runtime.evaluate', {
      expression, awaitPromise: true, returnByValue: true,
    });
    if (fault) throw new Error(fault.exception?.description ?? fault.text);
    return result.value;
  }

  /** Waits until an expression holds in the page. */
  until(expression) {
    return until(`in the page: ${expression}`, () => this.value(expression));
  }

  size(width, height, { mobile = false, scale = 1 } = {}) {
    return this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: scale, mobile });
  }

  scheme(value) {
    return this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
  }

  /** A PNG, kept as a file if one is named. */
  async screenshot(file) {
    await this.send('Page.bringToFront');  // a page behind another one may never be drawn
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    const png = Buffer.from(data, 'base64');
    if (file) await writeFile(file, png);
    return png;
  }
}

export class Browser {
  static async launch() {
    const browser = new Browser();
    browser.folder = await mkdtemp(path.join(os.tmpdir(), 'spillway-browser-'));
    browser.process = spawn(program, [
      '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--mute-audio',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-default-apps',
      '--hide-scrollbars', '--remote-debugging-port=0', `--user-data-dir=${browser.folder}`, 'about:blank',
    ], { stdio: ['ignore', 'ignore', 'pipe'] });
    browser.tools = await DevTools.connect(await browser.#address());
    return browser;
  }

  #address() {
    return within(30_000, 'start of the browser', new Promise((resolve, reject) => {
      let text = '';
      this.process.stderr.on('data', (chunk) => {
        text += chunk;
        const found = /DevTools listening on (ws:\S+)/.exec(text);
        if (found) resolve(found[1]);
      });
      this.process.once('error', reject);
      this.process.once('exit', (code) => reject(new Error(`the browser ended with ${code}: ${text.slice(-500)}`)));
    }));
  }

  async page(url) {
    const { targetId } = await this.tools.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.tools.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this.tools, sessionId);
    for (const domain of ['Page', 'Runtime', 'Log']) await page.send(`${domain}.enable`);
    await page.size(1280, 900);
    if (url) await page.go(url);
    return page;
  }

  async close() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.tools.send('Browser.close').catch(() => {});
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 5000))]);
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    this.tools.socket.terminate();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

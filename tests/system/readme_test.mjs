// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The quick starts of README.md, taken out of it and run as they stand there; only the ports are others. So they cannot rot.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Browser, hasBrowser } from './support/browser.mjs';
import { deadline, until } from './support/deadline.mjs';
import { quietPort } from './support/quiet_port.mjs';
import { run, Server } from './support/server.mjs';
import { WebApp } from './support/web_app.mjs';

const folder = path.dirname(fileURLToPath(import.meta.url));
const readme = readFileSync(path.join(folder, '../../README.md'), 'utf8');

/** The block of README.md that begins with that comment. */
function block(name) {
  const [, code] = readme.match(new RegExp('```js\\n(// ' + name.replace('.', '\\.') + '\\n[^]*?)```')) ?? [];
  assert.ok(code, `README.md has a block "// ${name}"`);
  return code;
}

/** A page whose only script is the block; what it logs is kept in `lines`. */
const pageWith = (code) => `<!doctype html><title>quick start</title>
<script type="importmap">{"imports":{"pusher-js":"/lib/pusher.mjs","laravel-echo":"/lib/echo.js"}}</script>
<script src="/lib/pusher.js"></script>
<script>const lines = []; console.log = (...words) => lines.push(words.join(' '));</script>
<script type="module">${code}</script>`;

it('README.md names every flag that --help lists', { timeout: deadline(10_000) }, async () => {
  const { stdout } = await run(['--help']);
  const flags = stdout.match(/(?<=^  )--[a-z-]+/gm);
  assert.ok(flags.length > 70, stdout);
  const named = (flag) => {
    const key = flag.slice(2).replaceAll('-', '_');
    const threshold = flag.replace(/^--health-(.+)-(warning|critical)$/, '`$1`');
    return [flag, key, threshold].some((name) => new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(readme));
  };
  assert.deepEqual(flags.filter((flag) => !named(flag)), []);
});

describe('the quick starts of README.md', { skip: hasBrowser ? false : 'no Chromium on this host' }, () => {
  let browser;
  let server;
  let app;
  let backend;
  before(async () => {
    server = await Server.start({ cores: 2 });
    const backendPort = await quietPort();
    const here = (code) => code.replaceAll('6001', String(server.port)).replaceAll('3000', String(backendPort));
    backend = spawn('node', ['--input-type=module', '-e', here(block('backend.mjs'))], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    backend.said = '';
    backend.stderr.setEncoding('utf8').on('data', (text) => (backend.said += text));
    app = await WebApp.start(server, {
      pages: { '/one': pageWith(here(block('pusher-js'))), '/two': pageWith(here(block('Laravel Echo'))) },
    });
    browser = await Browser.launch();
    await until('the backend listens', () => new Promise((resolve) => {
      const socket = net.connect(backendPort, '127.0.0.1', () => { socket.destroy(); resolve(true); });
      socket.on('error', () => resolve(false));
    }));
  });
  after(async () => {
    backend?.kill('SIGKILL');
    await browser?.close();
    app?.close();
    await server?.stop();
  });

  it('the backend publishes, pusher-js and Laravel Echo hear it and one another', { timeout: deadline(20_000) }, async () => {
    const logged = async (page, ...lines) => {
      try {
        await page.until(`${JSON.stringify(lines)}.every((line) => lines.includes(line))`);
      } catch (error) {
        error.message += `\nlogged: ${JSON.stringify(await page.value('lines'))}; backend: ${backend.said}`;
        throw error;
      }
    };
    const echo = await browser.page(app.url('/two'));
    await logged(echo, 'here 1', 'news Flood', 'order Flood');
    const pusher = await browser.page(app.url('/one'));
    await logged(pusher, 'here 1', 'news Flood', 'order Flood');
    await logged(echo, 'somebody types');
    assert.equal(backend.exitCode, null, backend.said);
    for (const page of [echo, pusher]) {
      assert.deepEqual(page.faults, []);
      await page.close();
    }
  });
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What the process may do once it serves: as root with --user it becomes that user in every thread, without a way back, and
// goes on serving and reloading; and nobody else sees its memory.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Api } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { Companion } from './support/companion.mjs';
import { deadline, until } from './support/deadline.mjs';
import { run, Server } from './support/server.mjs';

const isRoot = process.getuid() === 0;
const hasSetpriv = spawnSync('setpriv', ['--version']).status === 0;
const options = { timeout: deadline(20_000), skip: !isRoot && 'needs root' };
const free = ['--port', '0', '--metrics-port', '0'];
const nobody = 65534;
const asNobody = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];

/** What each thread of the process may do: fields of /proc/PID/task/TID/status. */
function threads(server) {
  return readdirSync(`/proc/${server.pid}/task`).map((id) => {
    const status = readFileSync(`/proc/${server.pid}/task/${id}/status`, 'utf8');
    const field = (name) => status.match(new RegExp(`^${name}:\\s*(.*)$`, 'm'))[1].trim().split(/\s+/).join(' ');
    return Object.fromEntries(['Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs'].map((n) => [n, field(n)]));
  });
}

const app = { id: 'a', key: 'k', secret: 'a-secret-of-its-own' };
const toml = `[[app]]\nid = "a"\nkey = "k"\nsecret = "${app.secret}"\n`;
const none = '0'.repeat(16);

async function serves(server) {
  const reader = await FeedReader.open(server, 'x', { key: server.app.key });
  await new Api(server).publish('x', 'e', 'hello');
  assert.equal(await reader.text(), 'hello');
  server.closeClients();
}

describe('--user', () => {
  for (const cores of [1, 2]) {
    it(`is who every thread is, for good, and the server serves and reloads (--cores ${cores})`, options, async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
      const socket = path.join(folder, 's');
      const server = await Server.start({ cores, app, toml, flags: ['--user', 'nobody:daemon', '--unix-socket', socket] });
      try {
        const all = threads(server);
        assert.ok(all.length >= cores + 2, 'cores, control, background');
        for (const thread of all) {
          assert.equal(thread.Uid, Array(4).fill(nobody).join(' '));
          assert.equal(thread.Gid, Array(4).fill(1).join(' '));
          assert.ok(!thread.Groups.split(' ').includes('0'), thread.Groups);
          for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) assert.equal(thread[set], none, set);
          assert.equal(thread.NoNewPrivs, '1');
        }
        assert.equal(statSync(socket).uid, nobody);
        await serves(server);
        // The test's folder is root's alone: said at the start, and the reload is refused while everything goes on.
        await until('it is said', () => /warn a reload will be refused: user 65534/.test(server.stderr));
        await server.reload(toml, 'refused');
        chmodSync(path.dirname(server.configFile), 0o755);
        await server.reload(toml.replace('"k"', '"k2"'));
        server.app = { ...app, key: 'k2' };
        await serves(server);
        await server.stop();
      } finally {
        server.kill();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }

  it('that does not exist, is root, or cannot be had is refused with the reason', { ...options, skip: options.skip || (!hasSetpriv && 'no setpriv here') }, async () => {
    for (const [user, says] of [['no-such-user', /no user 'no-such-user'/], ['nobody:no-such-group', /no group 'no-such-group'/], ['root', /\broot\b/]]) {
      const { code, stderr } = await run([...free, '--user', user]);
      assert.equal(code, 1);
      assert.match(stderr, says);
    }
    const { code, stderr } = await run([...free, '--user', 'daemon'], { through: asNobody });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /cannot become user 1:1 .*--user works for root alone/);
  });

  it('may be named by who is that user already', { ...options, skip: options.skip || (!hasSetpriv && 'no setpriv here') }, async () => {
    const server = await Server.start({ through: asNobody, cores: 1, flags: ['--user', 'nobody'] });
    await server.stop();
  });

  it('root that listens to the world is warned without it', options, async () => {
    const warning = /warn running as root, and listening on 0\.0\.0\.0: give --user/;
    const open = await Server.start({ cores: 1, flags: ['--host', '0.0.0.0'] });
    await open.stop();
    assert.match(open.stderr, warning);
    const local = await Server.start({ cores: 1 });
    await local.stop();
    assert.doesNotMatch(local.stderr, /running as root/);
  });
});

describe('any start', () => {
  it('gives up what programs started from here could gain', options, async () => {
    const server = await Server.start({ cores: 2 });
    for (const thread of threads(server)) {
      assert.equal(thread.NoNewPrivs, '1');
      assert.equal(thread.CapBnd, none);
    }
    await server.stop();
  });

  it('hides its memory from others of the same user, but for the development app', { ...options, skip: options.skip || (!hasSetpriv && 'no setpriv here') }, async () => {
    for (const [settings, status] of [[{ app, toml: undefined, env: { SPILLWAY_APP: `a:k:${app.secret}` } }, 1], [{}, 0]]) {
      const server = await Server.start({ through: asNobody, cores: 1, ...settings });
      try {
        const looked = (pid) => spawnSync(asNobody[0], [...asNobody.slice(1), 'cat', `/proc/${pid}/maps`]).status;
        assert.equal(looked(server.pid), status);
        const client = await PlainPusher.open(server, { key: server.app.key });
        await client.roundTrip();
        const tail = new Companion(server, ['tail', 'x'], { through: asNobody, env: settings.env });
        await server.untilMetric('spillway_subscriptions', {}, 1);
        assert.equal(looked(tail.child.pid), status, 'of spillway tail, which has the secret, too');
        await server.stop();
      } finally {
        server.kill();
      }
    }
  });
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Under a service manager: it hears what happens, the watchdog hears from a server whose loops turn and from no other, and
// sockets that it opened are served. The unit file is one that systemd takes, and hardened.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { Api } from './support/api.mjs';
import { deadline, until } from './support/deadline.mjs';
import { run, Server } from './support/server.mjs';
import { hear, manager } from './support/service_manager.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const options = { timeout: deadline(20_000) };

describe('a service manager', () => {
  for (const cores of [1, 2]) {
    it(`hears of ready, reloading, ready again and stopping (--cores ${cores})`, options, async () => {
      const heard = await hear();
      const app = { id: 'a', key: 'k', secret: 's' };
      const toml = '[[app]]\nid = "a"\nkey = "k"\nsecret = "s"\n';
      const server = await Server.start({ cores, app, toml, env: { NOTIFY_SOCKET: heard.address } });
      try {
        const next = () => until('a message', () => heard.messages.shift());
        assert.equal(await next(), `READY=1\nSTATUS=listening on 0.0.0.0:${server.port}`);
        await server.reload();
        assert.match(await next(), /^RELOADING=1\nMONOTONIC_USEC=\d+\n/);
        assert.match(await next(), /^READY=1\nSTATUS=reloaded/);
        await server.reload('broken', 'refused');
        assert.match(await next(), /^RELOADING=1\n/);
        assert.match(await next(), /^READY=1\nSTATUS=the reload was refused/);
        await server.stop();
        assert.match(await next(), /^STOPPING=1\n/);
      } finally {
        server.kill();
        heard.close();
      }
    });
  }

  it('hears from a server whose loops turn as often as its watchdog wants', options, async () => {
    const heard = await hear();
    const server = await Server.start({ cores: 2, env: { NOTIFY_SOCKET: heard.address, WATCHDOG_USEC: '200000' } });
    try {
      const alive = () => heard.messages.filter((m) => m === 'WATCHDOG=1').length;
      await until('five signs of life', () => alive() >= 5);
      await server.stop();
    } finally {
      server.kill();
      heard.close();
    }
  });

  it('hands over sockets, which are served by every core', options, async () => {
    for (const cores of [1, 2]) {
      const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
      const file = path.join(folder, 's');
      const server = await Server.start({
        cores, through: ['python3', manager, 'start', 'main=0', 'metrics=0', `local=${file}`, '--'],
      });
      try {
        const readers = await Promise.all(Array.from({ length: 20 }, () => FeedReader.open(server, 'x')));
        await new Api(server).publish('x', 'e', 'hello');
        for (const reader of readers) assert.equal(await reader.text(), 'hello');
        const local = await PlainPusher.open({ ...server, own: (c) => server.own(c), app: server.app, wsUrl: (t) => `ws+unix:${file}:${t}` });
        await local.roundTrip();
        server.closeClients();
        await server.untilClients(0);
      } finally {
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    }
  });

  it('that hands over what is no use is told so', options, async () => {
    const { code, stderr } = await run(['--port', '0', '--metrics-port', '0'], {
      through: ['python3', manager, 'start', 'main=0', 'web=0', '--'],
    });
    assert.equal(code, 1);
    assert.match(stderr, /two sockets for the same purpose.*"web"/);
  });
});

describe('the unit files', () => {
  const unit = path.join(here, '../../tools/systemd/spillway.service.in');
  const has = spawnSync('systemd-analyze', ['--version']).status === 0;

  it('are taken by systemd, and hardened', { ...options, skip: !has && 'no systemd-analyze here' }, async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
    try {
      const file = path.join(folder, 'spillway.service');
      writeFileSync(file, readFileSync(unit, 'utf8').replace('@BINDIR@/spillway', '/bin/true'));
      const socket = path.join(folder, 'spillway.socket');
      writeFileSync(socket, readFileSync(path.join(here, '../../tools/systemd/spillway.socket')));
      const verify = spawnSync('systemd-analyze', ['verify', '--man=no', file, socket], { encoding: 'utf8' });
      assert.equal(verify.status, 0, verify.stderr);
      assert.doesNotMatch(verify.stderr, /spillway\.(service|socket)/);
      const security = spawnSync('systemd-analyze', ['security', '--offline=yes', file], { encoding: 'utf8' });
      const exposure = Number(security.stdout.match(/exposure level for spillway\.service: ([\d.]+)/)?.[1]);
      assert.ok(exposure < 3, security.stdout + security.stderr);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

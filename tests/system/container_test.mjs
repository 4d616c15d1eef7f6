// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// tools/container without a container: the published seccomp profile is loaded as a runtime would, and the server broadcasts
// under it; what the profile is to forbid is forbidden; settings of the manifest are taken by the binary.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Api } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { deadline } from './support/deadline.mjs';
import { binary, run, Server, tomlFile } from './support/server.mjs';
import { WebhookReceiver } from './support/webhook_receiver.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = path.join(here, '../../tools/container');
const questions = readFileSync(path.join(here, 'support/kernel_questions.py'), 'utf8'); // as text: Python opens files with an ioctl of its own
const profile = path.join(folder, 'seccomp.json');
const under = (...words) => ['python3', path.join(here, 'support/under_seccomp.py'), profile, ...words, '--'];

const hasLibrary = spawnSync('python3', ['-c', 'import ctypes; ctypes.CDLL("libseccomp.so.2")']).status === 0;
const isSanitized = /__(asan|tsan)_init/.test(readFileSync(binary, 'latin1'));
const skip = (!hasLibrary && 'no libseccomp here') || (isSanitized && 'sanitizers make system calls of their own');
const options = { timeout: deadline(20_000), skip };
const isRoot = process.getuid() === 0;

describe('the seccomp profile', () => {
  for (const cores of [1, 2]) {
    it(`lets the server do all it does: broadcasts, webhooks, a Unix socket, reloads (--cores ${cores})`, options, async () => {
      const app = { id: 'a', key: 'k', secret: 's-of-a-container' };
      const receiver = await WebhookReceiver.start({ app });
      const scratch = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
      const toml = `[[app]]\nid = "a"\nkey = "k"\nsecret = "${app.secret}"\n[[app.webhook]]\nurl = "http://localhost:${receiver.port}/"\nallow_private_network = true\n`;
      const flags = ['--unix-socket', path.join(scratch, 's'), ...(isRoot ? ['--user', 'nobody'] : [])];
      let server = null;
      try {
        server = await Server.start({ through: under(), cores, app, toml, flags });
        const readers = await Promise.all(Array.from({ length: 20 }, () => FeedReader.open(server, 'x', { key: app.key })));
        await new Api(server).publish('x', 'e', 'hello');
        for (const reader of readers) assert.equal(await reader.text(), 'hello');
        await receiver.event('channel_occupied', 'x');
        const local = await PlainPusher.open({ ...server, own: (c) => server.own(c), app, wsUrl: (t) => `ws+unix:${path.join(scratch, 's')}:${t}` });
        await local.roundTrip();
        for (const page of ['/metrics', '/stats', '/healthz', '/']) assert.notEqual((await server.page(page)).status, 500, page);
        await server.reload(toml, isRoot ? 'refused' : 'taken'); // the test's folder is root's alone
        assert.doesNotMatch(server.stderr, /Operation not permitted|rings be restricted/);
        await server.stop();
      } finally {
        server?.kill();
        receiver.close();
        rmSync(scratch, { recursive: true, force: true });
      }
    });
  }

  it('forbids namespaces, mounts, tracing and modules', options, () => {
    const [, ...words] = under();
    const hasUnshare = spawnSync('unshare', ['--version']).status === 0;
    if (hasUnshare) assert.notEqual(spawnSync('python3', [...words, '/usr/bin/env', 'unshare', '-U', 'true']).status, 0);
    if (process.arch === 'x64') {
      // ptrace, mount, unshare, bpf, init_module, kexec_load, process_vm_readv answer EPERM, clone3 ENOSYS.
      const asked = spawnSync('python3', [...words, '/usr/bin/env', 'python3', '-c',
        'import ctypes\nl = ctypes.CDLL(None, use_errno=True)\nfor n in (101, 165, 272, 321, 175, 246, 310, 435):\n  assert l.syscall(n, 0, 0, 0, 0, 0) == -1\n  print(ctypes.get_errno())'], { encoding: 'utf8' });
      assert.equal(asked.stdout.trim().split('\n').join(' '), '1 1 1 1 1 1 1 38', asked.stderr);
    }
  });

  it('forbids sockets, ioctls and prctls that the server has no use for', options, async () => {
    const [, ...words] = under();
    const listener = net.createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    try {
      const asked = await promisify(execFile)('python3', [...words, '/usr/bin/env', 'python3', '-c', questions, '127.0.0.1', String(listener.address().port)]);
      assert.equal(asked.stdout.trim().split('\n').join(' '),
        'NETLINK_AUDIT AF_PACKET AF_ALG AF_VSOCK TIOCSTI TIOCLINUX SIOCSIFFLAGS PR_SET_SECCOMP PR_SET_MM PR_SET_PTRACER', asked.stderr);
    } finally {
      listener.close();
    }
  });

  it('without io_uring the server ends and says what to allow', options, async () => {
    const { code, stderr } = await run(['--port', '0', '--metrics-port', '0'], { through: under('--without', 'io_uring_setup') });
    assert.equal(code, 1);
    assert.match(stderr, /allow io_uring_setup, io_uring_enter and io_uring_register in the profile/);
  });

  it('where rings cannot be restricted the server says so and serves', options, async () => {
    // IORING_REGISTER_RESTRICTIONS is 11, EINVAL 22.
    const server = await Server.start({ cores: 2, through: under('--refuse', 'io_uring_register:1:11:22') });
    try {
      const reader = await FeedReader.open(server, 'x');
      await new Api(server).publish('x', 'e', 'hello');
      assert.equal(await reader.text(), 'hello');
    } finally {
      await server.stop();
    }
    assert.match(server.stderr, /warn the kernel does not let the rings be restricted/);
  });
});

describe('the Kubernetes example', () => {
  const manifest = readFileSync(path.join(folder, 'kubernetes.yaml'), 'utf8');

  it('has settings that the server takes, and time for the drain', { timeout: deadline(20_000) }, async () => {
    const block = manifest.match(/spillway\.toml: \|\n((?: {4}.*\n|\n)+)/)[1].replace(/^ {4}/gm, '');
    const { file, remove } = tomlFile(block.replace(/secret_file = .*/, 'secret = "x"'));
    try {
      const { code, stdout, stderr } = await run(['check-config', file]);
      assert.equal(code, 0, stdout + stderr);
    } finally {
      remove();
    }
    const seconds = (pattern) => Number(manifest.match(pattern)[1]);
    const drain = seconds(/drain_timeout = "(\d+)s"/) + seconds(/"sleep", "(\d+)"/);
    assert.ok(seconds(/terminationGracePeriodSeconds: (\d+)/) > drain + 5);
    assert.equal(seconds(/cores = (\d+)/), seconds(/limits: \{ cpu: "(\d+)"/));
  });

  it('lets nobody but the monitoring at the metrics port', () => {
    const policy = manifest.split('---\n').find((document) => document.includes('kind: NetworkPolicy'));
    const rules = policy.slice(policy.indexOf('ingress:')).split('    - ports: ').slice(1);
    assert.deepEqual(rules.map((rule) => [rule.match(/port: (\w+)/)[1], rule.includes('from:')]), [['clients', false], ['metrics', true]]);
    for (const [name, port] of [['clients', 6001], ['metrics', 9601]]) assert.ok(manifest.includes(`{ name: ${name}, containerPort: ${port} }`));
  });
});

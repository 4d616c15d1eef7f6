// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Starting: what the server says when it is ready, what it says when it cannot start, and who wins when a setting comes
// from several places.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { describe, it } from 'node:test';
import { deadline, until, within } from './support/deadline.mjs';
import { upgradeHead } from './support/frame_client.mjs';
import { quietPort } from './support/quiet_port.mjs';
import { RawSocket } from './support/raw_socket.mjs';
import { binary, cleanEnvironment, run, Server, tomlFile } from './support/server.mjs';

const options = { timeout: deadline(20_000) };
const free = ['--port', '0', '--metrics-port', '0'];

/** A start that must fail; returns all it said. */
async function failsToStart(flags, more) {
  const { code, signal, stdout, stderr } = await run(flags, more);
  assert.equal(signal, null);
  assert.notEqual(code, 0, `must fail: ${stdout}${stderr}`);
  assert.notEqual(code, null);
  return stdout + stderr;
}

/** check-config of a text: {code, said}. */
async function checkConfig(text) {
  const { file, remove } = tomlFile(text);
  try {
    const { code, stdout, stderr } = await run(['check-config', file]);
    return { code, said: stdout + stderr };
  } finally {
    remove();
  }
}

describe('start', () => {
  it('says where it listens, and loudly that the development app is in force', options, async () => {
    const server = await Server.start({ cores: 1 });
    try {
      assert.equal(server.host, '127.0.0.1');
      assert.match(server.stdout, /^listening on http:\/\/127\.0\.0\.1:\d+$/m);
      assert.match(server.stdout, /^metrics on http:\/\/127\.0\.0\.1:\d+$/m);
      assert.match(server.stdout + server.stderr, /app-key|development/i);
    } finally {
      await server.stop();
    }
  });

  it('says so when every thread and every descriptor is there', options, async () => {
    for (let i = 0; i < 5; i++) {
      const child = spawn(binary, [...free, '--cores', '2'], { stdio: ['ignore', 'pipe', 'ignore'], env: cleanEnvironment() });
      const ended = once(child, 'close');
      const held = () => ['fd', 'task'].map((what) => readdirSync(`/proc/${child.pid}/${what}`).length);
      try {
        let said = '';
        const atOnce = await within(10_000, 'the ready line', new Promise((resolve, reject) => {
          child.once('error', reject).once('close', (code) => reject(new Error(`it ended with ${code}: ${said}`)));
          child.stdout.on('data', (text) => /^metrics on /m.test((said += text)) && resolve(held()));
        }));
        const port = said.match(/^metrics on http:\/\/\S+:(\d+)$/m)[1];
        assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { connection: 'close' } })).status, 200);
        await until(() => `it holds as many descriptors and threads as when it was ready: ${atOnce}, now ${held()}`, () => `${held()}` === `${atOnce}`);
      } finally {
        child.kill('SIGTERM');
        await ended;
      }
    }
  });

  it('--version and --help end with 0', options, async () => {
    const version = await run(['--version']);
    assert.equal(version.code, 0);
    assert.match(version.stdout, /\d+\.\d+/);
    const help = await run(['--help']);
    assert.equal(help.code, 0);
    for (const flag of ['--port', '--metrics-port', '--cores', '--app', '--queue-messages', '--drain-timeout', '--config']) {
      assert.ok(help.stdout.includes(flag), flag);
    }
  });

  it('a port taken by another Spillway names its pid and name', options, async () => {
    const server = await Server.start({ cores: 2 });
    try {
      for (const cores of ['1', '2']) {
        const said = await failsToStart(['--port', String(server.port), '--metrics-port', '0', '--cores', cores]);
        assert.match(said, new RegExp(`\\b${server.pid}\\b`));
        assert.match(said, /spillway/);
        assert.match(said, new RegExp(`\\b${server.port}\\b`));
      }
    } finally {
      await server.stop();
    }
  });

  it('a port taken by another program names its pid and name', options, async () => {
    const other = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const port = String(other.address().port);
    try {
      for (const flags of [['--port', port, '--metrics-port', '0'], ['--port', '0', '--metrics-port', port]]) {
        const said = await failsToStart(flags);
        assert.match(said, new RegExp(`\\b${process.pid}\\b`));
        assert.match(said, /node/);
      }
    } finally {
      other.close();
    }
  });

  it('a port just left can be taken at once', options, async () => {
    const port = await quietPort();
    const first = await Server.start({ cores: 2, flags: ['--port', String(port)] });
    await RawSocket.connect(first);
    await first.stop();
    const second = await Server.start({ cores: 2, flags: ['--port', String(port)] });
    assert.equal(second.port, port);
    await second.stop();
  });

  it('a port whose server was killed can be taken at once', options, async () => {
    const port = await quietPort();
    let server = await Server.start({ cores: 2, flags: ['--port', String(port)] });
    for (let i = 0; i < 3; i++) {
      await RawSocket.connect(server);
      server.kill();
      await server.exited;
      server = await Server.start({ cores: 2, flags: ['--port', String(port)] });
    }
    await server.stop();
  });

  it('an unknown flag names the nearest one', options, async () => {
    for (const [wrong, right] of [['--prot', '--port'], ['--queue-message', '--queue-messages'], ['--ping-intervall', '--ping-interval']]) {
      assert.ok((await failsToStart([wrong, '1'])).includes(right), `${wrong} -> ${right}`);
    }
  });

  it('an unknown command and a stray word are refused', options, async () => {
    await failsToStart(['srve', ...free]);
    await failsToStart(['serve', 'word', ...free]);
  });

  const bad = [
    ['--port', '70000'], ['--port', 'x'], ['--port', '-1'], ['--cores', '0'], ['--cores', 'x'], ['--cores', '9999'],
    ['--ping-interval', 'soon'], ['--ping-interval', '-1s'], ['--queue-bytes', '1XiB'], ['--queue-messages', '0'],
    ['--overflow', 'sometimes'], ['--log-level', 'shout'], ['--log-format', 'xml'], ['--app', 'only-id'], ['--app', 'a::c'],
    ['--host', 'not an address'], ['--max-message', '0'], ['--echo', 'no-slash'],
  ];
  for (const flags of bad) {
    it(`${flags.join(' ')} is refused, and the flag named`, options, async () => {
      const said = await failsToStart([...flags, ...free.slice(flags[0] === '--port' ? 2 : 0)]);
      assert.ok(said.includes(flags[0]) || said.includes(flags[1]), said);
    });
  }

  it('a setting of the environment is read, and named when it is wrong', options, async () => {
    const said = await failsToStart(free, { env: { SPILLWAY_QUEUE_MESSAGES: 'many' } });
    assert.match(said, /QUEUE_MESSAGES|queue-messages/i);
  });

  it('a flag beats the environment, which beats the file', options, async () => {
    const toml = '[server]\necho = "/from-file"\n';
    const opens = async (settings, target) => {
      const server = await Server.start({ cores: 1, ...settings });
      try {
        const raw = await RawSocket.connect(server);
        raw.write(upgradeHead(target));
        assert.equal((await raw.response()).status, 101, target);
      } finally {
        await server.stop();
      }
    };
    const env = { SPILLWAY_ECHO: '/from-environment' };
    await opens({ toml }, '/from-file');
    await opens({ toml, env }, '/from-environment');
    await opens({ toml, env, flags: ['--echo', '/from-flag'] }, '/from-flag');
  });

  it('a configuration file that is not there is named', options, async () => {
    assert.match(await failsToStart(['--config', '/no/such/file.toml', ...free]), /\/no\/such\/file\.toml/);
  });
});

describe('check-config', () => {
  const app = (more = '', id = 'a') => `[[app]]\nid = "${id}"\nkey = "k-${id}"\nsecret = "s"\n${more}`;
  const good = {
    'an empty file': '', 'comments': '# nothing\n', 'one app': app('client_events = true\nmax_clients = 7\n'),
    'two apps and a server': `[server]\nport = 0\nping_interval = "15s"\nqueue_bytes = 65536\n${app()}${app('', 'b')}`,
    'units': '[server]\nping_interval = 15\npong_timeout = "5000ms"\nqueue_bytes = "2MiB"\n',
  };
  for (const [what, text] of Object.entries(good)) {
    it(`accepts ${what}`, options, async () => {
      const { code, said } = await checkConfig(text);
      assert.equal(code, 0, said);
    });
  }

  const bad = {
    'broken syntax': ['[server]\nport = 1\nhost = \n', /\b3\b/],
    'an unclosed text': ['[server]\n\nhost = "x\n', /\b3\b/],
    'an unknown server key': ['[server]\nquue_messages = 5\n', /\b2\b[^]*queue_messages|queue_messages[^]*\b2\b/],
    'an unknown app key': [app('max_client = 5\n'), /\b5\b[^]*max_clients|max_clients[^]*\b5\b/],
    'an unknown table': ['[servr]\nport = 1\n', /server/],
    'a wrong type': ['[server]\nport = "many"\n', /\b2\b/],
    'a value out of range': ['[server]\nport = 70000\n', /\b2\b/],
    'a bad unit': ['[server]\nping_interval = "5 parsecs"\n', /\b2\b/],
    'a key given twice': ['[server]\nport = 1\nport = 2\n', /\b3\b/],
    'an app without a secret': ['[[app]]\nid = "a"\nkey = "k"\n', /secret/],
    'two apps of one id': [app() + app(), /\ba\b/],
    'two apps of one key': [app() + app().replace('id = "a"', 'id = "b"'), /k-a|key/],
    'no TOML at all': ['{"server": {}}', /\b1\b/],
  };
  for (const [what, [text, says]] of Object.entries(bad)) {
    it(`refuses ${what} with line and reason, exit code 1`, options, async () => {
      const { code, said } = await checkConfig(text);
      assert.equal(code, 1, said);
      assert.match(said, says);
    });
  }

  it('a server refuses the same file at its start', options, async () => {
    const { file, remove } = tomlFile('[server]\nport = 1\nhost = \n');
    try {
      assert.match(await failsToStart(['--config', file, '--metrics-port', '0']), /\b3\b/);
    } finally {
      remove();
    }
  });
});

describe('doctor', () => {
  const codes = { good: 0, hint: 0, change: 1, obstacle: 2 };

  it('says of this host what should change and why, and ends with the code for it', options, async () => {
    const text = await run(['doctor']);
    const json = await run(['doctor', '--json', '--port', '0']);
    const report = JSON.parse(json.stdout);
    assert.equal(json.code, report.exit_code);
    assert.equal(json.code, Math.max(...report.findings.map((f) => codes[f.verdict])));
    assert.equal(text.code, json.code);
    for (const { topic, verdict, found, change } of report.findings) {
      assert.ok(text.stdout.includes(`${topic}: ${found}`), topic);
      assert.equal(change === '', verdict === 'good' || verdict === 'obstacle', topic);
    }
    assert.ok(report.findings.some((f) => f.topic === 'io_uring' && f.verdict === 'good'));
  });

  it('sees a low descriptor limit, and names the command', options, async () => {
    const { code, stdout } = await run(['doctor'], { descriptorLimit: 512 });
    assert.equal(code, 1);
    assert.match(stdout, /change +open files: .*512[^]*-> .*1048576/);
  });
});

describe('what is written for others to read', () => {
  it('the manual page is clean roff', options, async (t) => {
    const { code, stdout } = await run(['manual']);
    assert.equal(code, 0);
    const groff = spawnSync('groff', ['-man', '-ww', '-Tutf8'], { input: stdout, encoding: 'utf8' });
    if (groff.error) return t.skip('no groff here');
    assert.equal(groff.stderr, '');
    assert.match(groff.stdout, /silence of a client after which it is pinged/);
  });

  it('bash completes commands, flags, and what they take', options, async () => {
    const { stdout } = await run(['completion', 'bash']);
    const completed = (words) => {
      const script = `${stdout}\nCOMP_WORDS=(${words.map((w) => `'${w}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _spillway; echo "\${COMPREPLY[@]}"`;
      const { status, stdout: replies, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      return replies.trim().split(' ');
    };
    assert.deepEqual(completed(['spillway', 'doc']), ['doctor']);
    assert.deepEqual(completed(['spillway', '--ping']), ['--ping-interval']);
    assert.deepEqual(completed(['spillway', '--overflow', 'd']), ['drop-newest', 'drop-oldest', 'disconnect']);
    assert.deepEqual(completed(['spillway', '--profile', 'lat']), ['latency']);
  });
});

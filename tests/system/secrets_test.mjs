// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Secrets stay inside: wherever one comes from, it is in no log line at any level, no figure, no page, no answer, no error,
// and not in what the host shows of the process, server or command. Everything that succeeds and much that fails is done
// once, and everything that was said is searched: the whole log, from its first line.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { Api, feedAuth, signinAuth } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { Companion } from './support/companion.mjs';
import { deadline, until, within } from './support/deadline.mjs';
import { head, RawSocket } from './support/raw_socket.mjs';
import { run, Server } from './support/server.mjs';
import { WebhookReceiver } from './support/webhook_receiver.mjs';

const options = { timeout: deadline(30_000) };
const secret = (name) => `hush-${name}-5e1f0c`;

/** Everything that was said, by where; search() fails with the place. */
class Said {
  #texts = [];
  add(where, text) {
    this.#texts.push([where, typeof text === 'string' ? text : JSON.stringify(text)]);
    return text;
  }
  search(secrets) {
    for (const [where, text] of this.#texts) {
      for (const one of secrets) assert.ok(!text.includes(one), `${one} in ${where}: ${text.slice(0, 2000)}`);
    }
  }
  get size() {
    return this.#texts.length;
  }
}

const messages = (client) => client.inbox.rest?.() ?? [];

/** Clients that are right, and clients that are wrong in every way that has an answer. */
async function speak(server, said) {
  const { app } = server;
  const reader = await FeedReader.open(server, 'private-f', { key: app.key, auth: feedAuth(app, 'private-f') });
  await assert.rejects(FeedReader.open(server, 'private-f', { key: app.key, auth: `${app.key}:00` }), (e) => said.add('a refused feed', `${e.message}`) !== '');
  const client = await PlainPusher.open(server, { key: app.key });
  client.app = app;
  said.add('the greeting', client.hello);
  await client.subscribe('private-x');
  await client.subscribe('presence-x', JSON.stringify({ user_id: '1' }));
  client.send('pusher:subscribe', { channel: 'private-y', auth: `${app.key}:${'0'.repeat(64)}` });
  said.add('a refused subscription', await client.event('pusher:subscription_error'));
  const user = JSON.stringify({ id: '1' });
  client.send('pusher:signin', { auth: signinAuth(app, client.socketId, user), user_data: user });
  said.add('a sign-in', await client.event('pusher:signin_success'));
  const stranger = await PlainPusher.open(server, { key: app.key });
  stranger.send('pusher:signin', { auth: `${app.key}:${'0'.repeat(64)}`, user_data: user });
  said.add('a refused sign-in', await stranger.closeWithin());

  const api = new Api(server);
  const body = JSON.stringify({ name: 'e', channel: 'private-f', data: 'hello' });
  const wrong = [
    {}, { params: { auth_signature: undefined } }, { params: { auth_signature: '0'.repeat(64) } }, { params: { auth_key: 'other' } },
    { params: { auth_timestamp: 1 } }, { params: { body_md5: '0'.repeat(32) } }, { query: 'auth_key=%' }, { path: '/apps/other/events' },
    { path: '/nowhere' }, { body: '{' }, { headers: { 'content-type': 'text/plain' } }, { method: 'GET', path: `/apps/${app.id}/channels`, body: '' },
    { method: 'PUT' },
  ];
  for (const request of wrong) {
    const { status, headers, text } = await api.request({ path: `/apps/${app.id}/events`, body, ...request });
    said.add(`the answer ${status} to ${JSON.stringify(request)}`, { headers, text });
  }
  assert.equal(await reader.text(), 'hello');
  for (const bytes of [head('GET /app HTTP/1.1', 'Host: x', 'Content-Length: 1', 'Transfer-Encoding: chunked'), 'nonsense\r\n\r\n']) {
    const raw = await RawSocket.connect(server);
    raw.write(bytes);
    said.add(`the answer to ${bytes}`, await raw.response());
  }
}

/** Every page of the metrics port, as everybody and as who has the token. */
async function look(server, said, token) {
  for (const target of ['/metrics', '/stats', '/healthz', '/readyz', '/', '/dashboard', '/live', '/nowhere', '/dashboard/app.js']) {
    said.add(target, await server.page(target));
    if (token) said.add(`${target} with a token`, await server.page(`${target}?token=${'0'.repeat(token.length)}`));
  }
  const socket = new WebSocket(`ws://127.0.0.1:${server.metricsPort}/live`, token ? { headers: { authorization: `Bearer ${token}` } } : {});
  const first = new Promise((resolve) => {
    socket.on('message', (data) => resolve(data.toString()));
    socket.on('unexpected-response', (_, response) => resolve(`${response.statusCode}`));
    socket.on('error', (error) => resolve(error.message));
  });
  said.add('/live', await within(8000, 'a message of /live', first));
  socket.terminate();
}

/** What the host shows of a process; `environ` to its own user and root alone. */
function watch({ pid }, said, whose = '') {
  for (const what of ['cmdline', 'comm', 'status', 'environ', 'limits', 'maps']) {
    said.add(`/proc/PID/${what}${whose}`, readFileSync(`/proc/${pid}/${what}`, 'utf8'));
  }
}

async function live(settings, secrets, { token, during = async () => {} } = {}) {
  const said = new Said();
  const { env, flags = [], ...rest } = settings;
  const server = await Server.start({ ...rest, env, flags: ['--log-level', 'trace', ...flags], wholeLog: true });
  try {
    watch(server, said);
    await speak(server, said);
    await during(server, said);
    await look(server, said, token);
    watch(server, said);
    assert.equal(await server.metric('spillway_log_lines_lost_total'), 0, 'nothing was logged that nobody saw');
    await server.stop();
  } finally {
    server.kill();
  }
  assert.match(server.stderr, / debug /, 'the log was at its most talkative');
  assert.ok(server.logStart.includes('\n') && server.stderr.startsWith(server.logStart), 'the log is searched from its first line');
  said.add('the log', server.stderr);
  said.add('standard output', server.stdout);
  assert.ok(said.size > 40);
  said.search(secrets);
}

describe('no secret is told by anything', () => {
  for (const cores of [1, 2]) {
    it(`of a file, its secret files, its webhooks and its token (--cores ${cores})`, options, async () => {
      const names = ['current', 'previous', 'file', 'token', 'header', 'password', 'query'];
      const [current, previous, ofFile, token, header, password, query] = names.map(secret);
      const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
      const app = { id: 'a', key: 'k', secret: current };
      const receiver = await WebhookReceiver.start({ app, answer: (_, response) => response.writeHead(500).end('no') });
      writeFileSync(path.join(folder, 'b.secret'), `${ofFile}\n`);
      const url = `http://user:${password}@127.0.0.1:${receiver.port}/in?key=${query}`;
      const toml = (more = '') => `[server]\ndashboard_token = "${token}"\n[[app]]\nid = "a"\nkey = "k"\nsecret = "${current}"\n` +
        `secret_previous = "${previous}"\nclient_events = true\n[[app.webhook]]\nurl = "${url}"\nallow_private_network = true\n` +
        `headers = { X-Api-Key = "${header}" }\n[[app]]\nid = "b"\nkey = "l"\nsecret_file = "${folder}/b.secret"\n${more}`;
      try {
        await live({ cores, app, toml: toml(), drainMs: 3000, flags: ['--drain-timeout', '1s'] }, names.map(secret), {
          token,
          during: async (server) => {
            await server.untilMetric('spillway_webhook_posts_total', {}, (n) => n > 0, 8000);
            await server.reload(toml('[[app]]\nid = "b"\n'), 'refused');
            await server.reload(toml().replace('secret = ', 'secrets = '), 'refused');
            await server.reload(`${toml()}secret = "x\n`, 'refused');
            await server.reload(toml('max_clients = 5\n'));
          },
        });
      } finally {
        receiver.close();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }

  it('of the environment, which the process no longer holds either', options, async () => {
    const app = { id: 'a', key: 'k', secret: secret('environment') };
    const env = { SPILLWAY_APP: `a:k:${app.secret} b:l:${secret('second')}`, SPILLWAY_DASHBOARD_TOKEN: secret('token-environment') };
    await live({ cores: 1, app, env }, [app.secret, secret('second'), secret('token-environment')], {
      token: secret('token-environment'),
      during: async (server) => {
        // Read again from what was kept: the same apps.
        await server.reload();
        await speak(server, new Said());
      },
    });
  });

  it('of --app and --dashboard-token', options, async () => {
    const app = { id: 'a', key: 'k', secret: secret('flag') };
    const token = secret('token-flag');
    await live({ cores: 2, app, flags: ['--app', `a:k:${app.secret}`, `--app=b:l:${secret('flag-b')}`, '--dashboard-token', token] },
      [app.secret, secret('flag-b'), token], { token });
  });

  it('of commands: publish, tail, doctor, check-config, and one that takes over', options, async () => {
    const app = { id: 'a', key: 'k', secret: secret('command') };
    const [other, token] = [secret('other-app'), secret('token-command')];
    const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
    const file = path.join(folder, 'f.toml');
    writeFileSync(file, `[server]\ndashboard_token = "${token}"\n[[app]]\nid = "a"\nkey = "k"\nsecret_file = "${folder}/secret"\n`);
    writeFileSync(path.join(folder, 'secret'), app.secret);
    const flags = ['--app', `a:k:${app.secret}`, `--app=b:l:${other}`, '--dashboard-token', token];
    const env = { SPILLWAY_APP: `a:k:${app.secret} b:l:${other}`, SPILLWAY_DASHBOARD_TOKEN: token };
    const said = new Said();
    const server = await Server.start({ app, cores: 2, flags: ['--app', `a:k:${app.secret}`, '--log-level', 'trace'], wholeLog: true });
    const ended = async (words, more, code, to = server) => {
      const { stdout, stderr } = await new Companion(to, words, more).ended(code);
      said.add(words.join(' '), stdout + stderr);
    };
    try {
      for (const [from, words, more] of [['flags', flags, {}], ['the environment', [], { env }], ['a file', ['--config', file], {}]]) {
        const tails = [['--json'], ['--feed']].map((wire) => new Companion(server, ['tail', 'private-x', ...wire, ...words], more));
        await server.untilMetric('spillway_subscriptions', {}, 2);
        const publisher = new Companion(server, ['publish', 'private-x', 'e', '--stdin', ...words], { ...more, input: null });
        publisher.child.stdin.write('hello\n');
        await until('both have it', () => tails.every(({ stdout }) => stdout.includes('hello')));
        for (const { child, words: command } of [...tails, publisher]) watch(child, said, ` of ${command.replace(/hush/g, '')}, secrets from ${from}`);
        publisher.child.stdin.end();
        await publisher.ended(0);
        for (const one of tails) one.close();
        await Promise.all(tails.map((one) => one.closed));
        for (const { stdout, stderr } of [...tails, publisher]) said.add(`output, secrets from ${from}`, stdout + stderr);
        await server.untilMetric('spillway_subscriptions', {}, 0);
        await ended(['publish', 'private-x', 'e', 'd', ...words], more, 0);
        await ended(['publish', 'no channel', 'e', 'd', ...words], more, 3);
        await ended(['publish', 'x', 'e', 'd', '--url', 'http://127.0.0.1:1', ...words], more, 1, null);
        await ended(['tail', 'x', '--url', 'http://127.0.0.1:1', ...words], more, 1, null);
        await ended(['tail', ...words], more, 2);
        for (const command of [['doctor'], ['doctor', '--json'], ['check-config', file]]) said.add(command.join(' '), await run([...command, ...words], more));
      }
      const wrong = { env: { SPILLWAY_APP: `a:k:${other}` } };
      await ended(['publish', 'private-x', 'e', 'd'], wrong, 3);
      for (const wire of [[], ['--feed']]) await ended(['tail', 'private-x', ...wire], wrong, 3);
      const next = await Server.start({ app, cores: 2, wholeLog: true, flags: [...flags, '--log-level', 'trace', '--port', `${server.port}`, '--take-over'] });
      try {
        assert.deepEqual(await within(10_000, 'the end of the server that was succeeded', server.exited), { code: 0, signal: null });
        watch(next, said, ' of a successor');
        await next.stop();
      } finally {
        next.kill();
      }
      for (const { stderr, logStart } of [server, next]) {
        assert.ok(logStart.includes('\n') && stderr.startsWith(logStart), 'the log is searched from its first line');
        said.add('the log', stderr);
      }
    } finally {
      server.kill();
      rmSync(folder, { recursive: true, force: true });
    }
    assert.ok(said.size > 80, `${said.size}`);
    said.search([app.secret, other, token]);
  });

  it('of what is refused at the start', options, async () => {
    const one = secret('refused');
    const number = '86120517395012345678901'; // a secret that lacks its quotes
    const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
    const file = path.join(folder, 'f.toml');
    const said = new Said();
    try {
      const texts = [
        `[[app]]\nid = "a"\nkey = "k"\nsecret = "${one}"\n[[app]]\nid = "a"\nkey = "l"\nsecret = "${one}"\n`,
        `[[app]]\nid = "a"\nkey = "k"\nsecret = ["${one}"]\nid = 1\n`, `[[app]]\nid = "a"\nsecret = "${one}"\n`,
        `[server]\ndashboard_token = "${one.slice(0, 8)}"\nport = "${'x'}"\n`,
        `[[app]]\nid = "a"\nkey = "k"\nsecret = "${one}"\n[[app.webhook]]\nurl = "ftp://u:${one}@h/"\n`,
        `[[app]]\nid = "a"\nkey = "k"\nsecret = "${one}"\n[[app.webhook]]\nurl = "http://h/"\nheaders = { A = "${one}\\n" }\n`,
        `[[app]]\nid = "a"\nkey = "k"\nsecret = "${one}" oops\n`,
        `[[app]]\nid = "a"\nkey = "k"\nsecret = ${number}\n`,
      ];
      for (const text of texts) {
        writeFileSync(file, text);
        for (const flags of [['check-config', file], ['--config', file]]) said.add(text, await run(flags));
      }
      for (const flags of [['--app', `a:k:${one}:x`], ['--app', `a:k:${one}`, '--app', `a:l:${one}`], ['--app', `:k:${one}`], ['--app', `${one}`], ['--dashboard-token', one.slice(0, 9)]]) {
        said.add(flags.join(' '), await run(['--port', '0', ...flags]));
        if (flags[0] === '--app') said.add(flags.join(' '), await run(['--port', '0'], { env: { SPILLWAY_APP: flags[1].replace(':k:', '::') } }));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    said.search([one, one.slice(0, 8), number]);
  });
});

it('SECURITY.md names files that are there', () => {
  const checkout = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
  const text = readFileSync(path.join(checkout, 'SECURITY.md'), 'utf8');
  const named = [...text.matchAll(/`((?:[a-z_]+\/)+[a-z_]+(?:\.[a-z]+)?)`/g)].map((m) => m[1]);
  assert.ok(named.length > 30);
  for (const name of named) {
    const places = [name, `src/${name}`, `src/${name}.h`, `src/${name}.cpp`, `tests/${name}`];
    assert.ok(places.some((place) => existsSync(path.join(checkout, place))), name);
  }
});

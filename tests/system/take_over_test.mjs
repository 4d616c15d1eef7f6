// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Restarts: a successor takes the listening sockets over while clients come, and nobody is refused or reset; whatever goes
// wrong before it is ready leaves the predecessor serving; and a server that stops without a successor answers everybody
// who had come before.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { Api } from './support/api.mjs';
import { FeedReader, happens, PlainPusher, pusherJs } from './support/clients.mjs';
import { deadline, until, within } from './support/deadline.mjs';
import { upgradeHead } from './support/frame_client.mjs';
import { RawSocket } from './support/raw_socket.mjs';
import { run, Server } from './support/server.mjs';
import { hear } from './support/service_manager.mjs';

const peer = path.join(path.dirname(fileURLToPath(import.meta.url)), 'support/take_over_peer.py');
const options = { timeout: deadline(30_000) };
const target = '/app/app-key?protocol=7';

const succeeding = (server) => ['--port', String(server.port), '--metrics-port', String(server.metricsPort), '--take-over'];
const successorOf = (server, cores, { flags = [], ...more } = {}) =>
  Server.start({ cores, flags: [...succeeding(server), ...flags], ...more });
const nobody = 65534;
const asNobody = ['setpriv', '--reuid', String(nobody), '--clear-groups', '--inh-caps=-all'];
const asRoot = { ...options, skip: process.getuid() !== 0 && 'only root can become another user' };
const addressOf = (server) => `127.0.0.1:${server.port}`;

/** Runs `body` with a way to register servers; whatever happens, none is left. A failure tells what each of them said. */
async function withServers(body) {
  const servers = [];
  const starts = [];
  const owned = (promise) => {
    const started = promise.then((server) => (servers.push(server), server));
    starts.push(started);
    return started;
  };
  try {
    await body(owned);
  } catch (error) {
    for (const server of servers) error.message += server.story();
    throw error;
  } finally {
    await Promise.allSettled(starts); // one may have failed while another is under way
    for (const server of servers) {
      server.closeClients();
      server.kill();
    }
  }
}

async function ends(server, ms = 12_000) {
  assert.deepEqual(await within(ms, 'exit of the predecessor', server.exited), { code: 0, signal: null });
}

/** The Python side: {heard: [records], write(), closed}. */
function play(...words) {
  const { uid, args } = typeof words[0] === 'object' ? { uid: words[0].uid, args: words.slice(1) } : { args: words };
  const child = spawn('python3', [peer, ...args], { stdio: ['pipe', 'pipe', 'pipe'], uid });
  const heard = [];
  let rest = '';
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (complaints += text));
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    heard.push(...lines.map((line) => JSON.parse(line)));
  });
  const closed = new Promise((resolve) => child.on('close', resolve));
  const next = (step) => until(() => `the peer hears ${step} (${JSON.stringify(heard)} ${complaints})`, () => {
    const at = heard.findIndex((record) => record.step === step);
    return at >= 0 && heard.splice(0, at + 1).at(-1);
  }, 10_000);
  return { next, closed, go: () => child.stdin.end('go\n'), kill: () => child.kill('SIGKILL') };
}

/** Connects again and again until told to stop: who was refused, reset or left without an answer is an error. */
function connectForever(server) {
  let over = false;
  const statuses = {};
  const errors = [];
  const one = async () => {
    while (!over) {
      const raw = await RawSocket.connect({ ...server, own: (c) => c }).catch((error) => error);
      if (raw instanceof Error) {
        errors.push(raw.code ?? raw.message);
        continue;
      }
      raw.write(upgradeHead(target));
      const answer = await raw.response().catch((error) => error);
      if (!answer?.status) errors.push(raw.error?.code ?? answer?.message ?? 'no answer');
      statuses[answer?.status] = (statuses[answer?.status] ?? 0) + 1;
      raw.close();
    }
  };
  server.own({ close: () => (over = true) }); // whatever happens
  const all = Promise.all(Array.from({ length: 8 }, one));
  return { statuses, stop: async () => ((over = true), await all, { statuses, errors }) };
}

for (const [before, after] of [[1, 1], [2, 2], [2, 1], [1, 3]]) {
  it(`a successor takes over under live connects: nobody refused or reset (${before} cores, then ${after})`, options, () =>
    withServers(async (owned) => {
      const old = await owned(Server.start({ cores: before }));
      const plain = await Promise.all(Array.from({ length: 20 }, () => PlainPusher.open(old)));
      const feeds = await Promise.all(Array.from({ length: 20 }, () => FeedReader.open(old, 'news')));
      const library = await pusherJs(old);
      const channel = library.subscribe('news');
      await happens(channel, 'pusher:subscription_succeeded');
      const arrivals = connectForever(old);
      await until('arrivals are served', () => arrivals.statuses[101] > 50);

      const fresh = await owned(successorOf(old, after));
      assert.equal(fresh.port, old.port);
      assert.equal((await fresh.page('/readyz')).status, 200);
      for (const client of plain) assert.equal((await client.closeWithin()).code, 4200);
      for (const feed of feeds) assert.equal((await within(5000, 'close', feed.closed)).code, 1012);
      await ends(old);
      const served = arrivals.statuses[101];
      await until('arrivals are served by the new one alone', () => arrivals.statuses[101] > served + 50);
      const { statuses, errors } = await arrivals.stop();
      assert.deepEqual(errors, []);
      assert.deepEqual(Object.keys(statuses), ['101'], JSON.stringify(statuses));

      await until('the library is back', () => library.connection.state === 'connected' && channel.subscribed);
      const heard = happens(channel, 'headline');
      await new Api(fresh, { connections: 1 }).publish('news', 'headline', 'still here');
      assert.equal(await heard, 'still here');
      library.disconnect();
      await fresh.stop();
    }));
}

it('queued connections are served by the successor, from the backlogs of all cores, whatever else it is sent', options, () =>
  withServers(async (owned) => {
    const old = await owned(Server.start({ cores: 2 }));
    const holder = play('between', addressOf(old));
    try {
      const offer = await holder.next('offer');
      assert.equal(offer.descriptors, 4);
      await holder.next('go');
      await ends(old);
      const queued = await Promise.all(Array.from({ length: 100 }, () => RawSocket.connect({ ...old, own: (c) => old.own(c) })));
      for (const raw of queued) raw.write(upgradeHead(target));
      holder.go();
      const fresh = await owned(successorOf(old, 1));
      for (const raw of queued) assert.equal((await raw.response()).status, 101);
      await holder.closed;
      old.closeClients();
      await fresh.stop();
    } finally {
      holder.kill();
    }
  }));

it('connections that wait while the predecessor cannot turn are served by one or the other', options, () =>
  withServers(async (owned) => {
    const old = await owned(Server.start({ cores: 2 }));
    old.signal('SIGSTOP');
    const queued = await Promise.all(Array.from({ length: 100 }, () => RawSocket.connect({ ...old, own: (c) => old.own(c) })));
    for (const raw of queued) raw.write(upgradeHead(target));
    const starting = owned(successorOf(old, 2));
    old.signal('SIGCONT');
    for (const raw of queued) assert.equal((await raw.response()).status, 101);
    const fresh = await starting;
    await ends(old);
    old.closeClients();
    await fresh.stop();
  }));

it('the Unix socket keeps its name, the metrics port answers all the time, the service manager hears who it is now', options, () =>
  withServers(async (owned) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
    const file = path.join(folder, 's');
    const manager = await hear();
    try {
      const old = await owned(Server.start({ cores: 2, flags: ['--unix-socket', file], env: { NOTIFY_SOCKET: manager.address } }));
      let asked = 0;
      let watching = true;
      const watch = (async () => {
        for (; watching; asked++) assert.ok([200, 503].includes((await within(5000, 'readyz', old.page('/readyz'))).status));
      })();
      const fresh = await owned(successorOf(old, 2, { flags: ['--unix-socket', file] }));
      await ends(old);
      watching = false;
      await watch;
      assert.ok(asked > 5);
      const local = new WebSocket(`ws+unix:${file}:${target}`);
      await within(5000, 'open', new Promise((resolve, reject) => local.on('open', resolve).on('error', reject)));
      local.terminate();
      await fresh.untilClients(0);
      await until('MAINPID', () => manager.messages.includes(`MAINPID=${fresh.pid}`));
      assert.ok(!manager.messages.some((m) => m.startsWith('STOPPING')));
      await fresh.stop();
      assert.ok(!existsSync(file));
    } finally {
      manager.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }));

it('the Unix socket gets another name: the old one is gone, also when the predecessor could not know', options, () =>
  withServers(async (owned) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
    const [first, second, third] = ['first', 'second', 'third'].map((name) => path.join(folder, name));
    const old = await owned(Server.start({ cores: 1, flags: ['--unix-socket', first] }));
    const next = await owned(successorOf(old, 1, { flags: ['--unix-socket', second] }));
    await ends(old);
    assert.deepEqual(readdirSync(folder), ['second']);
    // As by a SIGTERM while its successor gets ready: it ends before it is told what is taken, and leaves everything.
    const holder = play('between', addressOf(old));
    try {
      await holder.next('go');
      await ends(next);
      assert.deepEqual(readdirSync(folder), ['second']);
      holder.go();
      const last = await owned(successorOf(old, 1, { flags: ['--unix-socket', third] }));
      assert.deepEqual(readdirSync(folder), ['third']);
      await holder.closed;
      await last.stop();
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      holder.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  }));

it('who waits behind a Unix socket that the successor leaves is answered by the predecessor', options, () =>
  withServers(async (owned) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
    const file = path.join(folder, 's');
    const old = await owned(Server.start({ cores: 2, flags: ['--unix-socket', file] }));
    old.signal('SIGSTOP');
    const successor = play('say', addressOf(old), 'spillway-take-over 1\nstep: ask\n', 'spillway-take-over 1\nstep: ready\nsockets: main metrics\n');
    try {
      await successor.next('connected');
      const queued = await Promise.all(Array.from({ length: 200 }, () => RawSocket.connect(old, { path: file })));
      for (const raw of queued) raw.write(upgradeHead(target));
      old.signal('SIGCONT');
      for (const raw of queued) {
        const answer = await raw.response();
        assert.ok([101, 503].includes(answer?.status), `${answer?.status} ${raw.error?.code}`);
      }
      old.closeClients();
      await ends(old);
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      successor.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  }));

describe('taking over, when', () => {
  it('nobody runs: it just starts, and says so', options, () =>
    withServers(async (owned) => {
      const gone = await Server.start({ cores: 1 });
      await gone.stop();
      const server = await owned(successorOf(gone, 1));
      await until('it says so', () => server.stderr.includes('nobody to take over from'));
      await server.stop();
    }));

  it('the successor fails before it is ready: the predecessor goes on as if nothing had been', options, () =>
    withServers(async (owned) => {
      const old = await owned(Server.start({ cores: 2 }));
      const client = await PlainPusher.open(old);
      const descriptors = () => readdirSync(`/proc/${old.pid}/fd`).map((fd) => {
        try {
          return readlinkSync(`/proc/${old.pid}/fd/${fd}`);
        } catch {
          return ''; // gone meanwhile
        }
      }).filter((name) => name.startsWith('socket:')).length;
      const sockets = descriptors();
      for (let i = 0; i < 3; i++) {
        const { code, stderr } = await run([...succeeding(old), '--cores', '4', '--unix-socket', '/no/such/folder/s']);
        assert.equal(code, 1, stderr);
        const peer = play('say', addressOf(old), 'spillway-take-over 1\nstep: ask\n');
        assert.equal((await peer.next('offer')).descriptors, 4);
        peer.kill();
        await until('it noticed', () => old.stderr.split('went away before it was ready').length === 3 + 2 * i);
      }
      const raws = await Promise.all(Array.from({ length: 50 }, () => RawSocket.connect(old)));
      for (const raw of raws) raw.write(upgradeHead(target));
      for (const raw of raws) assert.equal((await raw.response()).status, 101);
      for (const raw of raws) raw.close();
      await client.roundTrip();
      assert.equal((await old.page('/readyz')).status, 200);
      await old.untilClients(1);
      await until('its sockets are as they were', () => descriptors() <= sockets);
      const fresh = await owned(successorOf(old, 2));
      assert.equal((await client.closeWithin()).code, 4200);
      await ends(old);
      await fresh.stop();
    }));

  it('somebody talks nonsense, or nothing: it is told so, and the next is served', options, () =>
    withServers(async (owned) => {
      const old = await owned(Server.start({ cores: 1 }));
      const nonsense = {
        'GET / HTTP/1.1\r\n\r\n': /no message about taking over/,
        'spillway-take-over 2\nstep: ask\n': /another version/,
        'spillway-take-over 1\nstep: dance\n': /step that is not known/,
        'spillway-take-over 1\nstep: ready\n': /not what comes next/,
        'spillway-take-over 1\n': /no step/,
        [`spillway-take-over 1\nstep: ask\nx: ${'x'.repeat(9000)}\n`]: /too long/,
      };
      for (const [text, answer] of Object.entries(nonsense)) {
        const peer = play('say', addressOf(old), text);
        assert.match((await peer.next('refused')).reason, answer);
        await peer.next('over');
      }
      const silent = play('say', addressOf(old));
      await silent.next('connected');
      const start = Date.now();
      const fresh = await owned(successorOf(old, 1)); // behind it in the line, for five seconds at most
      assert.ok(Date.now() - start < deadline(7000));
      assert.match((await silent.next('refused')).reason, /too long/);
      await ends(old);
      await fresh.stop();
    }));

  it('another user asks: refused, on either side', asRoot, () =>
    withServers(async (owned) => {
      const old = await owned(Server.start({ cores: 1 }));
      const stranger = play({ uid: 65534 }, 'say', addressOf(old), 'spillway-take-over 1\nstep: ask\n');
      const answer = await stranger.next('refused');
      assert.equal(answer.descriptors, 0);
      assert.match(answer.reason, /another user/);
      await until('it is logged', () => /of user 65534 asked for the listening sockets/.test(old.stderr));
      const { code, stderr } = await run(succeeding(old), { through: asNobody });
      assert.equal(code, 1);
      assert.match(stderr, /it runs as user 0, and only a server of user 65534 is believed here: stop it/);
      await (await PlainPusher.open(old)).roundTrip();
      await old.stop();
    }));

  it('both run as another user than they were started by: no core is without connections', asRoot, () =>
    withServers(async (owned) => {
      const old = await owned(Server.start({ cores: 1, flags: ['--user', 'nobody'] }));
      const client = await PlainPusher.open(old);
      const fresh = await owned(successorOf(old, 2, { flags: ['--user', 'nobody'] }));
      assert.equal((await client.closeWithin()).code, 4200);
      await ends(old);
      const raws = await Promise.all(Array.from({ length: 50 }, () => RawSocket.connect(fresh)));
      for (const raw of raws) raw.write(upgradeHead(target));
      for (const raw of raws) assert.equal((await raw.response()).status, 101);
      await fresh.stop();
    }));

  it('users change from one to the next: whoever may be believed takes over, sockets and name in hand', asRoot, () =>
    withServers(async (owned) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
      const file = path.join(folder, 's');
      const flags = ['--unix-socket', file];
      const serves = async (server, uid) => {
        const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
        assert.match(status, new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t`, 'm'));
        assert.equal(statSync(file).uid, uid);
        const local = new WebSocket(`ws+unix:${file}:${target}`);
        await within(5000, 'open', new Promise((resolve, reject) => local.on('open', resolve).on('error', reject)));
        local.terminate();
        const raws = await Promise.all(Array.from({ length: 20 }, () => RawSocket.connect(server)));
        for (const raw of raws) raw.write(upgradeHead(target));
        for (const raw of raws) assert.equal((await raw.response()).status, 101);
        for (const raw of raws) raw.close();
      };
      try {
        let last = await owned(Server.start({ cores: 1, flags }));
        const followedBy = async (uid, cores, more) => {
          const next = await owned(successorOf(last, cores, more));
          await ends(last);
          await serves((last = next), uid);
        };
        await serves(last, 0);
        chownSync(folder, nobody, nobody); // its name is to be removed by who is nobody at the end
        await followedBy(nobody, 2, { flags: [...flags, '--user', 'nobody'] });
        await followedBy(nobody, 1, { flags: [...flags, '--user', 'nobody'] });
        await followedBy(nobody, 2, { flags, through: asNobody });

        const { code, stderr } = await run([...succeeding(last), ...flags, '--user', 'daemon']);
        assert.equal(code, 1);
        assert.match(stderr, /it runs as user 65534, and only a server of user 0 or 1 is believed here: stop it/);
        await serves(last, nobody);
        await last.stop();
        assert.deepEqual(readdirSync(folder), []);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }));

  it('two come at the same moment: in the end one serves, and nobody was refused', options, () =>
    withServers(async (owned) => {
      const old = await owned(Server.start({ cores: 2 }));
      const arrivals = connectForever(old);
      const both = await Promise.all([owned(successorOf(old, 2)), owned(successorOf(old, 1))]);
      await ends(old);
      const [loser] = await within(10_000, 'end of the one', Promise.race(both.map((s) => s.exited.then(() => [s]))));
      await ends(loser);
      const winner = both.find((server) => server !== loser);
      await until('arrivals are served', () => arrivals.statuses[101] > 100);
      assert.deepEqual((await arrivals.stop()).errors, []);
      assert.equal(winner.exit, null);
      await winner.stop();
    }));

  it('the predecessor drains already: the successor waits for its end', options, () =>
    withServers(async (owned) => {
      const old = await owned(Server.start({ cores: 2, flags: ['--drain-timeout', '4s'] }));
      const held = await RawSocket.connect(old);
      held.write(upgradeHead(target));
      assert.equal((await held.response()).status, 101);
      old.signal('SIGTERM'); // the client does not answer the close
      await until('it drains', () => old.stderr.includes('draining'));
      const fresh = await owned(successorOf(old, 2));
      await until('it says so', () => /drains already/.test(fresh.stderr));
      await ends(old);
      await (await PlainPusher.open(fresh)).roundTrip();
      await fresh.stop();
    }));

  it('SIGTERM comes while the successor gets ready: it is the heir', options, () =>
    withServers(async (owned) => {
      const old = await owned(Server.start({ cores: 1 }));
      const peer = play('say', addressOf(old), 'spillway-take-over 1\nstep: ask\n');
      await peer.next('offer');
      old.signal('SIGTERM');
      await peer.next('go');
      await ends(old);
      peer.kill();
    }));

  it('the predecessor is killed while it drains: nothing is lost', options, () =>
    withServers(async (owned) => {
      const old = await owned(Server.start({ cores: 2 }));
      await Promise.all(Array.from({ length: 50 }, () => PlainPusher.open(old)));
      const fresh = await owned(successorOf(old, 2));
      old.kill();
      const raws = await Promise.all(Array.from({ length: 100 }, () => RawSocket.connect(fresh)));
      for (const raw of raws) raw.write(upgradeHead(target));
      for (const raw of raws) assert.equal((await raw.response()).status, 101);
      await old.exited;
      await fresh.stop();
    }));
});

for (const cores of [1, 2]) {
  it(`SIGTERM without a successor answers everybody who had come before (--cores ${cores})`, options, () =>
    withServers(async (owned) => {
      const server = await owned(Server.start({ cores }));
      server.signal('SIGSTOP');
      const queued = await Promise.all(Array.from({ length: 200 }, () => RawSocket.connect(server)));
      for (const raw of queued) raw.write(upgradeHead(target));
      server.signal('SIGTERM');
      server.signal('SIGCONT');
      for (const raw of queued) {
        const answer = await raw.response();
        assert.ok([101, 503].includes(answer?.status), `${answer?.status} ${raw.error?.code}`);
      }
      server.closeClients();
      await ends(server);
      await assert.rejects(RawSocket.connect(server), { code: 'ECONNREFUSED' });
    }));
}

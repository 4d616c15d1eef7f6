// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Limits from outside: N are admitted, N+1 is told so and counted, others are served meanwhile, and everything comes back.
// SPILLWAY_TEST_SCALE=5 plays the attacks in the size of their field reports.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Api } from './support/api.mjs';
import { FeedReader } from './support/clients.mjs';
import { deadline, until, within } from './support/deadline.mjs';
import { FrameClient, op, upgradeHead } from './support/frame_client.mjs';
import { RawSocket } from './support/raw_socket.mjs';
import { onCores } from './support/server.mjs';

const scale = Number(process.env.SPILLWAY_TEST_SCALE ?? 1);
const target = '/app/app-key?protocol=7';

const connect = (server, n, options) => Promise.all(Array.from({ length: n }, () => RawSocket.connect(server, options)));
const refused = (server, reason) => server.metric('spillway_refused_total', { reason });

/** A reader and a publisher that must notice nothing: call the result while the trouble lasts. */
async function innocents(server) {
  const reader = await FeedReader.open(server, 'calm');
  const api = new Api(server, { connections: 1 });
  let n = 0;
  return async () => {
    const text = `calm ${n++}`;
    await api.publish('calm', 'e', text);
    assert.equal(await reader.text(), text);
  };
}

onCores('a process out of descriptors', { flags: ['--max-clients', '0'], descriptorLimit: 160 }, (group) => {
  group('answers 503 or serves, lets nobody hang, idles, and takes clients again when some left', async (server) => {
    const served = await innocents(server);
    await served();
    const raws = await connect(server, 300);
    for (const raw of raws) raw.write(upgradeHead(target));
    const answers = await within(10_000, 'all answers', Promise.all(raws.map((raw) => raw.response({ ms: 10_000 }))));
    const admitted = answers.filter((answer) => answer?.status === 101).length;
    assert.ok(admitted >= 60, `${admitted} admitted`);
    for (const answer of answers.filter((a) => a?.status !== 101)) {
      assert.equal(answer?.status, 503);
      assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
    }
    await server.untilMetric('spillway_refused_total', { reason: 'descriptors' }, 300 - admitted);
    assert.ok((await server.metric('spillway_accept_pauses_total')) >= 1);
    await served();
    assert.equal((await server.page('/healthz')).status, 200);
    const cpu = server.cpuSeconds();
    await new Promise((resolve) => setTimeout(resolve, 500)); // the span over which idling is measured
    assert.ok(server.cpuSeconds() - cpu < 0.2, `${server.cpuSeconds() - cpu} s of processor time in half a second`);
    for (const raw of raws) raw.close();
    const after = await until('a new client is taken', () => FeedReader.open(server, 'calm').catch(() => null), 2000);
    after.close();
    await served();
  });
});

onCores('pending handshakes', { flags: ['--max-handshakes', '20', '--handshake-timeout', '3s'] }, (group) => {
  group('S4 C6 as many as the limit says, one more gets 503; the wait is no longer than the handshake timeout', async (server) => {
    const silent = await connect(server, 20);
    await server.untilMetric('spillway_http_connections', { port: 'main' }, 20);
    const before = await refused(server, 'max_handshakes');
    const late = await connect(server, 15);
    for (const raw of late) {
      const answer = await raw.response();
      assert.equal(answer.status, 503);
      assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
    }
    assert.equal(await refused(server, 'max_handshakes'), before + 15);
    await until('the silent ones are cut', () => silent.every((raw) => raw.ended), 6000);
    (await FeedReader.open(server, 'calm')).close();
  });
});

onCores('slow requests', { flags: ['--handshake-timeout', '1500ms'] }, (group) => {
  group('header lines one byte at a time hold up nobody', async (server) => {
    const served = await innocents(server);
    const head = upgradeHead(target);
    const dripping = new Set();
    let cut = 0;
    const timer = setInterval(() => {
      for (const raw of dripping) {
        if (raw.ended) {
          cut++;
          dripping.delete(raw);
          raw.close();
        } else raw.write(head[raw.at++ % head.length]);
      }
    }, 100);
    try {
      for (let i = 0; i < 200 * scale; i += 20) {
        for (const raw of await connect(server, 20)) dripping.add(Object.assign(raw, { at: 0 }));
        await served();
      }
      await until('all are cut', () => cut === 200 * scale, 8000);
      await served();
    } finally {
      clearInterval(timer);
    }
  });
});

onCores('connections of the API', { flags: ['--max-api-connections', '4', '--max-clients', '3'] }, (group) => {
  group('S4 C6 have a limit of their own', async (server) => {
    const ask = async (raw) => {
      raw.write('GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n');
      return (await raw.response())?.status;
    };
    const kept = await connect(server, 4);
    for (const raw of kept) assert.equal(await ask(raw), 404);
    for (const raw of kept) assert.equal(await ask(raw), 404); // each still has its place
    const [fifth] = await connect(server, 1);
    assert.equal(await ask(fifth), 503);
    assert.equal(await refused(server, 'max_api_connections'), 1);
    const clients = await connect(server, 4); // clients do not count here, nor these there
    for (const raw of clients) raw.write(upgradeHead(target));
    const statuses = (await Promise.all(clients.map((raw) => raw.response()))).map((a) => a.status).sort();
    assert.deepEqual(statuses, [101, 101, 101, 503]);
    kept[0].close();
    await until('its place is free', async () => {
      const [next] = await connect(server, 1);
      return (await ask(next)) === 404 || next.close();
    });
  });
});

onCores('attacks', {}, (group) => {
  group('connect and reset, again and again, leaves nothing behind', async (server) => {
    const served = await innocents(server);
    await served();
    const descriptors = server.descriptors();
    const head = upgradeHead(target);
    for (let i = 0; i < 2000; i += 100) {
      const raws = await connect(server, 100);
      raws.forEach((raw, k) => {
        if (k % 2) raw.write(head.slice(0, k % 3 ? 30 : head.length));
        raw.reset();
      });
      if (i % 500 === 0) await served();
    }
    await served();
    await until(() => `descriptors are back at ${descriptors} (now ${server.descriptors()})`, () => server.descriptors() <= descriptors);
    await server.untilMetric('spillway_http_connections', { port: 'main' }, 1);
  }, { ms: 40_000 });

  group('half of the clients killed: the others lose nothing, the places are free at once', async (server) => {
    const served = await innocents(server);
    const n = 500 * scale;
    const script = `
      const net = require('node:net');
      let open = 0;
      for (let i = 0; i < ${n}; i++) {
        const socket = net.connect(${server.port}, '127.0.0.1', () => socket.write(${JSON.stringify(upgradeHead('/feed/calm?key=app-key'))}));
        socket.once('data', () => ++open === ${n} && console.log('all'));
        socket.on('error', () => {});
      }`;
    const crowd = () => spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const doomed = crowd();
    const spared = crowd();
    try {
      await within(20_000, 'all clients', Promise.all([once(doomed.stdout, 'data'), once(spared.stdout, 'data')]));
      await served();
      doomed.kill('SIGKILL');
      await served();
      await server.untilMetric('spillway_clients', { kind: 'feed' }, n + 1, 10_000);
      const start = Date.now();
      const fresh = await Promise.all(Array.from({ length: 50 }, () => FeedReader.open(server, 'calm')));
      assert.ok(Date.now() - start < deadline(5000), `${Date.now() - start} ms until new clients are in`);
      await served();
      for (const reader of fresh) assert.match(await reader.text(), /^calm/);
    } finally {
      doomed.kill('SIGKILL');
      spared.kill('SIGKILL');
    }
  }, { ms: 40_000 });
});

const statusOf = async (raw) => (await raw.response()).status;
const upgrade = (raw, extra = []) => {
  raw.write(upgradeHead(target, { extra }));
  return statusOf(raw);
};

onCores('limits of an address', { flags: ['--max-clients-per-ip', '6'] }, (group) => {
  group('S4 C6 N clients are admitted, N+1 gets 503, and another address has its own', async (server) => {
    for (let round = 0; round < 3; round++) {
      const here = await Promise.all((await connect(server, 20)).map((raw) => upgrade(raw)));
      assert.equal(here.filter((status) => status === 101).length, 6);
      assert.equal(here.filter((status) => status === 503).length, 14);
      const there = await Promise.all((await connect(server, 8, { localAddress: '127.0.0.9' })).map((raw) => upgrade(raw)));
      assert.equal(there.filter((status) => status === 101).length, 6);
      assert.equal(await refused(server, 'max_clients_per_ip'), (round + 1) * 16);
      await new Api(server, { connections: 1 }).publish('calm', 'e', 'the API is not concerned');
      server.closeClients();
      await server.untilClients(0);
    }
  });
});

const behindProxy = ['--max-clients-per-ip', '2', '--trusted-proxies', '127.0.0.0/8'];
onCores('behind a proxy', { flags: behindProxy }, (group) => {
  group('the right-most address that is no proxy counts, IPv6 by its /64', async (server) => {
    const from = async (address) => upgrade((await connect(server, 1))[0], [`X-Forwarded-For: ${address}`]);
    assert.equal(await from('192.0.2.1'), 101);
    assert.equal(await from('9.9.9.9, 192.0.2.1, 127.0.0.5'), 101);
    assert.equal(await from('8.8.8.8, 192.0.2.1'), 503);
    assert.equal(await from('192.0.2.2'), 101);
    assert.equal(await from('2001:db8::1'), 101);
    assert.equal(await from('2001:db8::ffff:2'), 101);
    assert.equal(await from('2001:db8::3'), 503);
  });
});

onCores('the PROXY protocol', { flags: [...behindProxy, '--proxy-protocol'] }, (group) => {
  group('versions 1 and 2 tell the address; without a header it is 400', async (server) => {
    const say = async (header) => {
      const [raw] = await connect(server, 1);
      for (let i = 0; i < header.length; i += 7) await raw.flush(header.slice(i, i + 7));
      return upgrade(raw);
    };
    const two = (last) => Buffer.concat([
      Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([0x21, 0x11, 0, 12, 192, 0, 2, last, 10, 0, 0, 1, 20, 0, 0, 80]),
    ]);
    assert.equal(await say('PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n'), 101);
    assert.equal(await say(two(1)), 101);
    assert.equal(await say(two(1)), 503);
    assert.equal(await say(two(2)), 101);
    const before = await refused(server, 'proxy_header');
    assert.equal(await say(''), 400);
    assert.equal(await refused(server, 'proxy_header'), before + 1);
  });
});

onCores('rates', { flags: ['--connects-per-second-per-ip', '5', '--client-messages-per-second', '20'] }, (group) => {
  group('R13 over the connect rate: upgraded, then pusher:error and close 4100', async (server) => {
    const began = Date.now();
    const clients = await Promise.all(Array.from({ length: 15 }, () => FrameClient.open(server, target)));
    const granted = 5 + Math.ceil((5 * (Date.now() - began)) / 1000); // at once, and meanwhile
    const codes = await Promise.all(clients.map(async (client) => {
      const first = JSON.parse((await client.frame()).payload);
      return first.event === 'pusher:error' ? first.data.code : 0;
    }));
    const away = codes.filter((code) => code === 4100).length;
    assert.ok(away >= 15 - granted && away <= 10, `${away} sent away, at least ${15 - granted} must be`);
    assert.equal(await refused(server, 'connect_rate'), away);
  });

  group('R13 over the message rate: close 4100', async (server) => {
    const client = await until('the rate lets one in', async () => {
      const one = await FrameClient.open(server, target);
      return JSON.parse((await one.frame()).payload).event === 'pusher:error' ? one.close() : one;
    });
    for (let i = 0; i < 30; i++) client.send(op.text, '{"event":"pusher:ping","data":{}}');
    assert.equal((await client.closing()).code, 4100);
    assert.equal(await refused(server, 'message_rate'), 1);
  });
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// SIGHUP: apps and limits change while clients stay; a broken file changes nothing; secrets rotate; nothing shows them.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Api, channelAuth, feedAuth, signedQuery } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { deadline, until } from './support/deadline.mjs';
import { FrameClient, upgradeHead } from './support/frame_client.mjs';
import { RawSocket } from './support/raw_socket.mjs';
import { Server } from './support/server.mjs';

const appOf = (id, secret = `secret-of-${id}`) => ({ id, key: `key-${id}`, secret });
const table = (app, more = '') =>
  `[[app]]\nid = "${app.id}"\nkey = "${app.key}"\nsecret = "${app.secret}"\n${more}\n`;

const [a, b, c] = ['a', 'b', 'c'].map((id) => appOf(id));
const start = table(a, 'client_events = true') + table(b);

/** A group in which each test has the server as `start` describes it, with the apps a and b. */
function onReloads(define) {
  for (const cores of [1, 2]) {
    describe(`reload (--cores ${cores})`, () => {
      let server = null;
      before(async () => (server = await Server.start({ cores, toml: start, app: a })));
      after(() => server?.stop());
      define((name, body) => {
        it(name, { timeout: deadline(20_000) }, async () => {
          try {
            await server.reload(start);
            await body(server);
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

const said = (server, text) => until(() => `the server says ${text}`, () => server.stderr.search(text) >= 0);

onReloads((group) => {
  group('drops nobody and loses nothing while messages flow', async (server) => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => PlainPusher.open(server)));
    for (const client of clients) await client.subscribe('private-live');
    const readers = await Promise.all(
      Array.from({ length: 4 }, () => FeedReader.open(server, 'private-live', { auth: feedAuth(a, 'private-live') })));
    const api = new Api(server);
    let published = 0;
    let over = false;
    const publishing = (async () => {
      while (!over) await api.publish('private-live', 'n', String(published++));
    })();
    for (let i = 0; i < 10; i++) await server.reload(i % 2 ? start : table(c) + table(a, `max_clients = ${3 + i}`));
    over = true;
    await publishing;
    assert.ok(published > 10, String(published));
    const expected = Array.from({ length: published }, (_, n) => String(n));
    for (const client of clients) {
      const got = [];
      while (got.length < published) got.push((await client.event('n')).data);
      assert.deepEqual(got, expected);
    }
    for (const reader of readers) {
      const got = [];
      while (got.length < published) got.push(await reader.text());
      assert.deepEqual(got, expected);
    }
  });

  group('an app that comes is served, one that goes is closed with 4003, one that comes back is served again', async (server) => {
    const stays = await PlainPusher.open(server);
    const goes = await PlainPusher.open(server, { app: b });
    const feed = await FeedReader.open(server, 'x', { key: b.key });
    const target = `/apps/${b.id}/publish`;
    const publisher = await FrameClient.open(server, `${target}?${signedQuery(b, { method: 'GET', path: target })}`);
    assert.equal((await PlainPusher.start(server, { app: c }).closeWithin()).code, 4001);
    await server.reload(table(a) + table(c));
    assert.equal((await goes.closeWithin()).code, 4003);
    assert.equal((await feed.closed).code, 4003);
    assert.equal((await publisher.frame()).payload.readUInt16BE(0), 4003);
    await PlainPusher.open(server, { app: c });
    await new Api(server, { app: c }).publish('x', 'e', 'd');
    assert.equal((await PlainPusher.start(server, { app: b }).closeWithin()).code, 4001);
    assert.equal((await new Api(server, { app: b }).events({ name: 'e', channel: 'x', data: 'd' })).status, 404);
    await stays.roundTrip();
    await server.reload(start);
    await PlainPusher.open(server, { app: b });
    await stays.roundTrip();
  });

  group('enabled = false closes with 4003, refuses new ones with 4003 and the API with 403', async (server) => {
    const client = await PlainPusher.open(server, { app: b });
    await server.reload(table(a) + table(b, 'enabled = false'));
    assert.equal((await client.closeWithin()).code, 4003);
    assert.equal((await PlainPusher.start(server, { app: b }).closeWithin()).code, 4003);
    assert.equal((await new Api(server, { app: b }).events({ name: 'e', channel: 'x', data: 'd' })).status, 403);
    await assert.rejects(FeedReader.open(server, 'x', { key: b.key }), { status: 403 });
    assert.ok((await server.metric('spillway_client_closes_total', { code: '4003' })) >= 1);
  });

  const broken = {
    'broken syntax': [`${start}\n[server\n`, /reload refused.*spillway\.toml:\d+: /],
    'a misspelled key': [`${start}max_client = 3\n`, /reload refused.*spillway\.toml:11: .*did you mean 'max_clients'/],
    'two apps of one key': [start + table({ ...c, key: a.key }), /reload refused.*spillway\.toml:\d+: .*key-a.* is taken/],
    'a secret file that is not there': [`${start}[[app]]\nid = "x"\nkey = "x"\nsecret_file = "nowhere"\n`, /reload refused.*nowhere/],
  };
  for (const [what, [toml, sentence]] of Object.entries(broken)) {
    group(`a file with ${what} is refused whole and the old settings stay`, async (server) => {
      const client = await PlainPusher.open(server, { app: b });
      await server.reload(toml, 'refused');
      await said(server, sentence);
      await client.roundTrip();
      await PlainPusher.open(server, { app: b });
      await new Api(server).publish('x', 'e', 'd');
    });
  }

  group('what cannot change while running is named, and the rest is taken', async (server) => {
    await server.reload(`[server]\nhost = "::1"\nlog_format = "json"\nmax_message = 200\n${start}`);
    await said(server, /warn host cannot change while running[^\n]*\n.*warn log_format cannot/);
    const client = await PlainPusher.open(server);
    client.sendText('x'.repeat(201));
    assert.equal((await client.closeWithin()).code, 1009);
    assert.equal((await server.page('/readyz')).status, 200);
  });

  group('C6 R8 a lowered limit admits exactly as many from then on, and drops nobody', async (server) => {
    const open = async (n) => {
      const raws = await Promise.all(Array.from({ length: n }, () => FrameClient.open(server, `/app/${b.key}?protocol=7`)));
      const first = await Promise.all(raws.map(async (raw) => (await raw.frame()).payload.toString()));
      return raws.filter((_, i) => first[i].includes('connection_established'));
    };
    const limited = (n) => server.reload(table(a) + table(b, `max_clients = ${n}`));
    await limited(12);
    const clients = await open(20);
    assert.equal(clients.length, 12);
    await limited(5);
    assert.equal((await open(10)).length, 0);
    await server.untilMetric('spillway_clients', { kind: 'pusher' }, 12);
    for (const client of clients.slice(0, 9)) client.raw.close();
    await server.untilMetric('spillway_clients', { kind: 'pusher' }, 3);
    assert.equal((await open(10)).length, 2);
    await server.reload(`[server]\nmax_clients = 7\n${table(a)}${table(b, 'max_clients = 0')}`);
    const answers = await Promise.all(Array.from({ length: 10 }, async () => {
      const raw = await RawSocket.connect(server);
      raw.write(upgradeHead(`/app/${b.key}?protocol=7`));
      return (await raw.response()).status;
    }));
    assert.equal(answers.filter((status) => status === 101).length, 2);
  });

  group('both secrets count while rotating: subscriptions, feeds, the API and publisher sockets', async (server) => {
    const fresh = { ...a, secret: 'the-new-one' };
    const accepted = async (app) => {
      const client = await PlainPusher.open(server, { app: a });
      client.send('pusher:subscribe', { channel: 'private-x', auth: channelAuth(app, client.socketId, 'private-x') });
      const answer = await client.inbox.take('an answer', (m) => /subscription_(succeeded|error)/.test(m.event));
      const feed = await FeedReader.open(server, 'private-x', { auth: feedAuth(app, 'private-x') }).then(() => 101, (e) => e.status);
      const api = await new Api(server, { app }).events({ name: 'e', channel: 'x', data: 'd' });
      const raw = await RawSocket.connect(server);
      const target = `/apps/${app.id}/publish`;
      raw.write(upgradeHead(`${target}?${signedQuery(app, { method: 'GET', path: target })}`));
      return [answer.event.endsWith('succeeded'), feed, api.status, (await raw.response()).status];
    };
    const yes = [true, 101, 200, 101];
    const no = [false, 401, 401, 401];
    assert.deepEqual([await accepted(a), await accepted(fresh)], [yes, no]);
    await server.reload(table(fresh, `secret_previous = "${a.secret}"`));
    assert.deepEqual([await accepted(a), await accepted(fresh)], [yes, yes]);
    await server.reload(table(fresh));
    assert.deepEqual([await accepted(a), await accepted(fresh)], [no, yes]);
  });

  group('a secret file is read again', async (server) => {
    const file = path.join(path.dirname(server.configFile), 'a.secret');
    const toml = `[[app]]\nid = "a"\nkey = "key-a"\nsecret_file = "a.secret"\n`;
    const status = async (secret) =>
      (await new Api(server, { app: { ...a, secret } }).events({ name: 'e', channel: 'x', data: 'd' })).status;
    writeFileSync(file, 'one\n');
    await server.reload(toml);
    assert.deepEqual([await status('one'), await status('two')], [200, 401]);
    writeFileSync(file, 'two\nnot this line\n');
    await server.reload();
    assert.deepEqual([await status('one'), await status('two')], [401, 200]);
  });

  group('signals that come fast are all answered by settings that hold', async (server) => {
    const client = await PlainPusher.open(server);
    const reloads = await server.metric('spillway_config_reloads_total', { result: 'taken' });
    for (let i = 0; i < 50; i++) server.signal('SIGHUP');
    await server.untilMetric('spillway_config_reloads_total', { result: 'taken' }, (n) => n > reloads);
    await server.reload(table(a, 'max_event_bytes = 5'));
    // The reload that was seen may have been one of the fifty.
    const api = new Api(server);
    await until('the last settings hold', async () => (await api.events({ name: 'e', channel: 'x', data: '123456' })).status === 413);
    await client.roundTrip();
  });
});

describe('secrets', () => {
  it('are shown by no page, log line or process list, wherever they came from', { timeout: deadline(20_000) }, async () => {
    const app = { id: 'x', key: 'k', secret: 'hush-hush' };
    for (const how of [
      { flags: ['--app', 'x:k:hush-hush'] }, { flags: ['--app=x:k:hush-hush'] }, { env: { SPILLWAY_APP: 'x:k:hush-hush' } },
      { toml: table(app, 'secret_previous = "hush-before"') },
    ]) {
      const server = await Server.start({ cores: 1, app, ...how, flags: ['--log-level', 'trace', ...(how.flags ?? [])] });
      try {
        const client = await PlainPusher.open(server);
        client.send('pusher:subscribe', { channel: 'private-x', auth: 'k:wrong' });
        await client.event('pusher:subscription_error');
        await new Api(server).publish('x', 'e', 'd');
        assert.equal((await new Api(server, { app: { ...app, secret: 'no' } }).events({ name: 'e', channel: 'x', data: 'd' })).status, 401);
        await server.reload();
        if (how.toml) await server.reload(`${how.toml}secret = "hush-again"\n`, 'refused');
        const pages = await Promise.all(['/metrics', '/stats', '/healthz', '/readyz', '/'].map((p) => server.page(p)));
        const shown = [...pages.map((p) => p.text), server.stdout, server.stderr, readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')];
        for (const text of shown) assert.doesNotMatch(text, /hush/);
      } finally {
        await server.stop();
      }
    }
  });
});

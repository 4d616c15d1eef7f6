// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// `spillway publish` and `spillway tail`, from outside, against each other and against what the tests' own clients see.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Api } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { Companion } from './support/companion.mjs';
import { deadline, until, within } from './support/deadline.mjs';
import { quietPort } from './support/quiet_port.mjs';
import { onCores, Server } from './support/server.mjs';

const options = { timeout: deadline(20_000) };
const wrongSecret = { SPILLWAY_APP: 'app-id:app-key:wrong' };

const publish = (server, words, more) => new Companion(server, ['publish', ...words], more);
const tail = (server, words, more) => new Companion(server, ['tail', ...words], more);
const subscriptions = (server, n) => server.untilMetric('spillway_subscriptions', {}, n);

onCores('publish and tail', { flags: ['--queue-messages', '200000', '--queue-bytes', '64MiB'] }, (group) => {
  group('tail shows what publish sends, in order, of public and private channels', async (server) => {
    const json = tail(server, ['news', 'private-desk', '--json', '--count', '6']);
    const plain = tail(server, ['news', '--event', 'e1']);
    await subscriptions(server, 3);
    for (let i = 0; i < 6; i++) await publish(server, [i % 2 ? 'private-desk' : 'news', `e${i % 3}`, `line\n${i}`]).ended(0);
    await json.ended(0);
    const events = json.lines.map((line) => JSON.parse(line));
    assert.deepEqual(events.map(({ channel, event, data }) => [channel, event, data]),
      [0, 1, 2, 3, 4, 5].map((i) => [i % 2 ? 'private-desk' : 'news', `e${i % 3}`, `line\n${i}`]));
    for (const { time } of events) assert.ok(Math.abs(new Date(time) - Date.now()) < deadline(20_000), time);
    await until('the plain line', () => plain.lines.length === 1);
    assert.match(plain.lines[0], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z news e1 line\\n4$/);
    plain.child.kill('SIGINT');
    await plain.ended(0);
    assert.equal(plain.stderr, '');
  });

  group('tail of feeds has a connection for each channel; client events keep their JSON', async (server) => {
    const feeds = tail(server, ['a', 'private-b', '--feed', '--count', '2']);
    const pusher = tail(server, ['private-b', '--json', '--count', '2']);
    await subscriptions(server, 3);
    await publish(server, ['a', 'e', 'one']).ended(0);
    await until('a line', () => feeds.lines.length === 1);
    await publish(server, ['private-b', 'e', 'two']).ended(0);
    await feeds.ended(0);
    assert.deepEqual(feeds.lines.map((line) => line.replace(/^\S+ /, '')), ['a - one', 'private-b - two']);
    const client = await PlainPusher.open(server);
    await client.subscribe('private-b');
    client.send('client-typing', { who: ['x'] }, 'private-b');
    await pusher.ended(0);
    assert.deepEqual(pusher.lines.map((line) => JSON.parse(line).data), ['two', { who: ['x'] }]);
  });

  group('100,000 lines through --stdin arrive, each once and in order', async (server) => {
    const reader = await FeedReader.open(server, 'rush');
    let text = '';
    for (let i = 0; i < 100_000; i++) text += `tick ${i}\n`;
    const begin = Date.now();
    const publisher = await publish(server, ['rush', 'tick', '--stdin'], { input: text }).ended(0, 15_000);
    const took = Date.now() - begin;
    assert.match(publisher.stderr, /^spillway: 100000 lines sent, 0 refused, in [\d.]+ s: \d+ lines a second\n$/);
    assert.ok(took < deadline(10_000), `${took} ms`);
    await until('all lines', () => reader.inbox.items.length === 100_000, 10_000);
    assert.equal(reader.inbox.items.map((m) => `${m.data}\n`).join(''), text);
  }, { ms: 40_000 });

  group('a broken line of the input is named, and the others arrive', async (server) => {
    const reader = await FeedReader.open(server, 'x');
    const good = (data) => JSON.stringify({ name: 'e', channel: 'x', data });
    const input = [good('one'), '{"name":', good('three'), good('no').replace('"x"', '"not a channel"'), good('five')].join('\n');
    const publisher = await publish(server, ['--stdin', '--json'], { input }).ended(3);
    assert.match(publisher.stderr, /^spillway: line 2: /);
    assert.match(publisher.stderr, /\nspillway: line 4: [^\n]*\nspillway: 5 lines sent, 2 refused/);
    for (const text of ['one', 'three', 'five']) assert.equal(await reader.text(), text);
  });

  group('thousands of broken lines are all named', async (server) => {
    const publisher = await publish(server, ['--stdin', '--json'], { input: 'nonsense\n'.repeat(5000) }).ended(3);
    assert.equal(publisher.stderr.match(/line \d+: /g).length, 5000);
    assert.match(publisher.stderr, /5000 lines sent, 5000 refused/);
  });

  group('a line that would cost the connection ends the input, and what stood before it arrives', async (server) => {
    const reader = await FeedReader.open(server, 'x');
    for (const [fault, line] of [['is too long', 'y'.repeat(40_000)], ['is not UTF-8', Buffer.from([0x61, 0xff])]]) {
      const input = Buffer.concat([Buffer.from('before\n'), Buffer.from(line), Buffer.from('\nafter\n')]);
      const publisher = await publish(server, ['x', 'e', '--stdin'], { input }).ended(3);
      assert.match(publisher.stderr, new RegExp(`line 2 ${fault}`));
      assert.equal(await reader.text(), 'before');
    }
  });

  group('a line goes out when it comes, not when the input ends', async (server) => {
    const reader = await FeedReader.open(server, 'x');
    const publisher = publish(server, ['x', 'e', '--stdin'], { input: null });
    for (const text of ['one', 'two']) {
      publisher.child.stdin.write(`${text}\n`);
      assert.equal(await reader.text(), text);
    }
    publisher.child.stdin.end();
    await publisher.ended(0);
  });

  group('a wrong secret is told, with an exit code of its own', async (server) => {
    const more = { env: wrongSecret };
    assert.match((await publish(server, ['x', 'e', 'd'], more).ended(3)).stderr, /HTTP 401: /);
    assert.match((await publish(server, ['x', 'e', '--stdin'], { ...more, input: 'a\n' }).ended(3)).stderr, /HTTP 401: /);
    assert.match((await tail(server, ['private-x', '--reconnect'], more).ended(3)).stderr, /channel private-x: /);
    assert.match((await tail(server, ['private-x', '--feed', '--reconnect'], more).ended(3)).stderr, /HTTP 401/);
    assert.match((await tail(server, ['x', '--key', 'other', '--reconnect'], more).ended(3)).stderr, /closed with 4001: /);
  });

  group('tail does not listen to less than it was told to: a channel that cannot be ends it', async (server) => {
    const { stderr } = await tail(server, ['news', 'no channel', '--reconnect']).ended(3);
    assert.match(stderr, /the server says: Invalid channel name: 'no channel'/);
  });

  group('tail ends when its reader goes', async (server) => {
    const gone = tail(server, ['x']);
    await subscriptions(server, 1);
    gone.child.stdout.destroy();
    await gone.ended(0);
  });
});

describe('a server that is not there', () => {
  it('is named, with an exit code of its own', options, async () => {
    const server = await Server.start({ cores: 1, flags: ['--port', String(await quietPort())] });
    await server.stop();
    for (const words of [['publish', 'x', 'e', 'd'], ['publish', 'x', 'e', '--stdin'], ['tail', 'x']]) {
      const companion = await new Companion(server, words).ended(1);
      assert.match(companion.stderr, /^spillway: 127\.0\.0\.1:\d+: Connection refused\n$/);
    }
  });

  for (const cores of [1, 2]) {
    it(`is waited for by tail --reconnect, which tells the gap (--cores ${cores})`, options, async () => {
      const first = await Server.start({ cores, flags: ['--port', String(await quietPort())] });
      const pusher = tail(first, ['x', '--reconnect', '--gaps']);
      const feed = tail(first, ['x', '--reconnect', '--feed', '--json']);
      first.closeClients = () => {};  // they are to outlive it
      try {
        await subscriptions(first, 2);
        await first.stop();
        const second = await Server.start({ cores, flags: ['--port', String(first.port)] });
        try {
          await subscriptions(second, 2);
          await new Api(second).publish('x', 'e', 'again');
          await until('both lines', () => pusher.lines.length === 2 && feed.lines.length === 1);
          assert.match(pusher.lines[0], /^\S+ - - gap: no connection for \d+\.\d{3} s, what was sent meanwhile is lost$/);
          assert.match(pusher.lines[1], / x e again$/);
          assert.equal(JSON.parse(feed.lines[0]).data, 'again');
          assert.match(pusher.stderr, /^spillway: closed with 4200: [^\n]*; again in 0 ms\n/);
          for (const companion of [pusher, feed]) companion.child.kill('SIGTERM');
          for (const companion of [pusher, feed]) await companion.ended(0);
        } finally {
          await second.stop();
        }
      } finally {
        for (const companion of [pusher, feed]) companion.close();
      }
    });
  }
});

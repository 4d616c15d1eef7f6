// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The log: one line per event of a connection and none per message, whatever a peer puts into what it sends; and a server
// that goes on when nobody takes the lines.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Api, signinAuth } from './support/api.mjs';
import { FeedReader, PlainPusher } from './support/clients.mjs';
import { deadline } from './support/deadline.mjs';
import { head, RawSocket } from './support/raw_socket.mjs';
import { Server } from './support/server.mjs';

const options = { timeout: deadline(30_000) };
const forged = '\n2026-01-01T00:00:00.000Z error forged\r\n{"level":"error","message":"forged"}\u001b[31m\u2028"\\';

/** Starts a server, lets `body` use it, stops it; its log, line by line. */
async function logged(settings, body) {
  const server = await Server.start(settings);
  try {
    await body(server);
    await server.stop();
  } catch (error) {
    error.message += server.story();
    throw error;
  } finally {
    server.kill();
  }
  assert.ok(server.stderr.endsWith('\n'));
  return server.stderr.slice(0, -1).split('\n');
}

/** Says the worst it can in every place whose content a line of the log may have. */
async function inject(server) {
  const raw = await RawSocket.connect(server);
  raw.socket.write(Buffer.from(head(
    `GET /app/app-key?protocol=7&client=${encodeURIComponent(forged)}"{}\\u000a HTTP/1.1`, 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket',
    'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==', 'Origin: http://"}\\n{"', 'User-Agent: a"\\\t\u00ff',
  ), 'latin1'));
  assert.equal((await raw.response()).status, 101);
  raw.close();
  await assert.rejects(FeedReader.open(server, 'x', { query: `?key=${encodeURIComponent(forged)}` }));
  await assert.rejects(FeedReader.open(server, `bad${forged}`));
  const client = await PlainPusher.open(server, { query: `?protocol=7&version=${encodeURIComponent(forged)}` });
  client.askToSubscribe(`bad${forged}`);
  client.send('client-x', forged, `bad${forged}`);
  // No control characters: with those it would be no id.
  const userData = JSON.stringify({ id: '7"\\","level":"error"}\u2028\u00e9' });
  client.send('pusher:signin', { auth: signinAuth(client.app, client.socketId, userData), user_data: userData });
  await client.event('pusher:signin_success');
  client.ws.close(4000, 'bye\n{"level":"error"}');
  await client.closed;
  await server.untilClients(0);
}

it('injection: a line of a JSON log is one JSON object, whatever peers say', options, async () => {
  const lines = await logged({ cores: 2, flags: ['--log-format', 'json', '--log-level', 'debug'] }, inject);
  const entries = lines.map((line) => JSON.parse(line));
  for (const entry of entries) {
    assert.deepEqual(Object.keys(entry), ['time', 'level', 'message']);
    assert.match(entry.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.match(entry.message, /^[ -~]*$/);
    assert.notEqual(entry.level, 'error', entry.message);
  }
  assert.ok(entries.some((e) => e.message.includes('signed in as "7"\\x5c"')), 'the sign-in is there, escaped');
});

it('injection: a line of a text log is one line', options, async () => {
  const lines = await logged({ cores: 1, flags: ['--log-format', 'text', '--log-level', 'debug'] }, inject);
  for (const line of lines) assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warn) [ -~]*$/);
});

it('one line per event of a connection, none per message', options, async () => {
  const lines = await logged({ cores: 2, flags: ['--log-level', 'debug'] }, async (server) => {
    const reader = await FeedReader.open(server, 'quiet');
    const api = new Api(server);
    for (let i = 0; i < 50; ++i) await api.publish('quiet', 'e', `payload ${i}`);
    for (let i = 0; i < 50; ++i) await reader.text();
    reader.close();
    await server.untilClients(0);
  });
  const events = lines.filter((line) => line.includes(' debug client '));
  assert.equal(events.length, 3, events.join('\n'));
  for (const [i, word] of [' asks for /feed/quiet', ' opened', ' closed: 1006, '].entries()) assert.ok(events[i].includes(word), events[i]);
  assert.ok(!lines.some((line) => line.includes('payload')));
});

/** Clients come, hear something and go, as if there were no log. */
async function serves(server, rounds) {
  const api = new Api(server);
  for (let i = 0; i < rounds; ++i) {
    const readers = await Promise.all([...Array(20)].map(() => FeedReader.open(server, 'on')));
    await api.publish('on', 'e', String(i));
    for (const reader of readers) {
      assert.match(await reader.text(), new RegExp(String(i)));
      reader.close();
    }
  }
  await server.untilClients(0);
  assert.equal((await server.page('/healthz')).status, 200);
}

for (const cores of [1, 2]) {
  it(`a full disk behind the log stops nothing, and is counted (--cores ${cores})`, options, async () => {
    const through = ['sh', '-c', 'exec "$0" "$@" 2>/dev/full'];
    const server = await Server.start({ cores, through, flags: ['--log-level', 'debug'] });
    try {
      await serves(server, 5);
      await server.untilMetric('spillway_log_lines_lost_total', { reason: 'unwritten' }, (n) => n >= 300);
      assert.equal(await server.metric('spillway_loop_stalls_total'), 0);
      await server.stop();
    } finally {
      server.kill();
    }
  });

  it(`a log that nobody reads stops nothing, and not the end either (--cores ${cores})`, options, async () => {
    // A pipe that the server itself holds open, so that it fills up.
    const through = ['sh', '-c', 'f=$(mktemp -u) && mkfifo "$f" && exec 2<>"$f" && rm "$f" && exec "$0" "$@"'];
    const server = await Server.start({ cores, through, flags: ['--log-level', 'debug'] });
    try {
      await serves(server, 25);  // 1,500 lines; a pipe takes 64 KiB
      await server.stop();
    } finally {
      server.kill();
    }
  });
}

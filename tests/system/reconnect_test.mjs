// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What pusher-js makes of an end: it comes back, waits or stays away, by the code it was told.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { happens, officialPublisher, pusherJs } from './support/clients.mjs';
import { deadline, until } from './support/deadline.mjs';
import { Relay } from './support/relay.mjs';
import { Server } from './support/server.mjs';

/** Runs with servers and a relay that are gone afterwards, whatever happened. */
function test(name, body) {
  it(name, { timeout: deadline(25_000) }, async () => {
    const running = [];
    const start = async (options) => running[running.push(await Server.start(options)) - 1];
    let relay;
    try {
      await body(start, async (target) => (relay = await Relay.start(target)));
    } catch (error) {
      for (const server of running) error.message += server.story();
      throw error;
    } finally {
      relay?.close();
      for (const server of running) server.kill();
    }
  });
}

/** Of an error that came as an event, or of one that ended the handshake. */
const codeOf = (error) => error.data?.code ?? error.error?.data?.code;

const states = (pusher) => {
  const all = [];
  pusher.connection.bind('state_change', ({ current }) => all.push(current));
  return all;
};

describe('pusher-js comes back', { concurrency: 4 }, () => {
  for (const cores of [1, 2]) {
    test(`after 4200 at once, to the successor, with its channels, its user and its members (--cores ${cores})`, async (start, relayTo) => {
      const [old, successor] = [await start({ cores }), await start({ cores })];
      const relay = await relayTo(old);
      const library = officialPublisher(successor);
      const clients = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(async (id) => {
        const pusher = await pusherJs(relay, {
          user: { user_id: id },
          userAuthentication: { customHandler: ({ socketId }, done) => done(null, library.authenticateUser(socketId, { id })) },
        });
        const channels = ['news', 'private-x', 'presence-room'].map((name) => pusher.subscribe(name));
        await Promise.all(channels.map((c) => happens(c, 'pusher:subscription_succeeded')));
        pusher.signin();
        await happens(pusher, 'pusher:signin_success');
        return { id, pusher, channels, states: states(pusher), errors: [] };
      }));
      for (const { pusher, errors } of clients) pusher.connection.bind('error', (e) => errors.push(codeOf(e)));
      relay.target = successor;
      await old.stop();
      await successor.untilClients(5);
      await until('all are members again', () => clients.every(({ channels }) => channels[2].members.count === 5));
      await until('all are subscribed', () => clients.every(({ channels }) => channels.every((c) => c.subscribed)));
      for (const client of clients) {
        assert.deepEqual(new Set(client.errors), new Set([4200]));
        assert.deepEqual(client.states, ['connecting', 'connected']);
      }
      const arrivals = clients.flatMap(({ channels }) => channels.map((c) => happens(c, 'after')));
      await library.trigger(['news', 'private-x', 'presence-room'], 'after', 'the restart');
      assert.deepEqual(new Set(await Promise.all(arrivals)), new Set(['the restart']));
      await until('they are signed in again', () => clients.every(({ pusher }) => pusher.user.user_data));
      const notes = clients.map(({ pusher }) => happens(pusher.user, 'note'));
      for (const { id } of clients) await library.sendToUser(id, 'note', `for ${id}`);
      assert.deepEqual(await Promise.all(notes), clients.map(({ id }) => `for ${id}`));
      relay.close();
      await successor.untilClients(0);
      await successor.stop();
    });
  }

  test('is told that nobody is there: unavailable', async (start, relayTo) => {
    const relay = await relayTo(null);
    const pusher = await pusherJs(relay, { app: { key: 'k' }, connect: false, unavailableTimeout: 300 });
    await until('it says so', () => pusher.connection.state === 'unavailable');
  });

  test('not after 4004: an app that has all its clients', async (start) => {
    const app = { id: '1', key: 'k', secret: 's' };
    const server = await start({ app, toml: '[[app]]\nid = "1"\nkey = "k"\nsecret = "s"\nmax_clients = 1\n' });
    await pusherJs(server);
    const second = await pusherJs(server, { connect: false });
    const errors = [];
    second.connection.bind('error', (e) => errors.push(codeOf(e)));
    await until('it gave up', () => ['disconnected', 'failed'].includes(second.connection.state));
    assert.ok(errors.includes(4004), `error codes: ${errors}`);
    await server.untilClients(1);
    await server.stop();
  });
});

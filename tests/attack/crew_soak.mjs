// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The ordinary life of a server, fast: visitors who come, subscribe, speak and leave in any way, readers that are too slow,
// publications of all sizes and priorities; and residents, who stay, and come back when the server does.

import { performance } from 'node:perf_hooks';
import { Api, channelAuth, feedAuth } from '../system/support/api.mjs';
import { LightClient } from './light_client.mjs';
import { seeded } from './seeded.mjs';

const kChannels = 60;
const kBackAfterMs = 50;
const channelOf = (n) => `${['', '', 'private-', 'presence-', 'cache-', 'private-cache-'][n % 6]}soak-${n}`;

let life = null;

/** Subscribes to one channel for good: half of them Pusher clients, half feeds. */
class Resident {
  isHere = false;
  times = 0;

  constructor(life, i) {
    Object.assign(this, { life, isFeed: i % 2 === 1 });
    this.#come();
  }

  #come() {
    const { server } = this.life;
    const target = this.isFeed ? `/feed/resident?key=${server.app.key}` : `/app/${server.app.key}?protocol=7`;
    this.client = new LightClient(server, target, { localAddress: '127.0.8.201' });
    if (this.isFeed) this.client.answer.then((status) => status === 101 && this.#arrived());
    else this.client.answer.then(() => this.client.send({ event: 'pusher:subscribe', data: { channel: 'resident' } }));
    this.client.onMessage = (payload) => !this.isFeed && payload.includes('subscription_succeeded') && this.#arrived();
    this.client.onEnd = () => {
      this.isHere = false;
      if (!this.life.over) setTimeout(() => this.#come(), kBackAfterMs);
    };
  }

  #arrived() {
    this.isHere = !this.client.ended;
    this.times++;
  }
}

class Life {
  open = new Set();
  visits = 0;
  published = 0;
  refused = 0;
  paused = false;
  pace = 1;
  over = false;

  constructor(server, { visitorsPerSecond, slow, publishesPerSecond, residents, seed }) {
    Object.assign(this, { server, random: seeded(seed), slow });
    this.residents = Array.from({ length: residents }, (_, i) => new Resident(this, i));
    this.api = new Api({ ...server, own: (one) => one }, { connections: 4 });
    const every = (perSecond, act) => {
      let [last, due] = [performance.now(), 0];
      return setInterval(() => {
        const now = performance.now();
        due += ((now - last) * perSecond * this.pace) / 1000;
        last = now;
        for (; due >= 1; due--) if (!this.paused) act();
      }, 5);
    };
    this.timers = [
      every(visitorsPerSecond, () => this.#visit()), every(publishesPerSecond, () => this.#publish()),
      setInterval(() => this.#slow(), 500),
    ];
  }

  #add(client) {
    this.open.add(client);
    client.onEnd = () => this.open.delete(client);
    return client;
  }

  #visit() {
    const { random, server } = this;
    const n = random(kChannels);
    const channel = channelOf(n);
    const localAddress = `127.0.8.${1 + random(100)}`;
    this.visits++;
    const isFeed = n % 6 < 3 && random(2) === 0;
    const auth = channel.startsWith('private-') ? `&auth=${feedAuth(server.app, channel)}` : '';
    const target = isFeed ? `/feed/${channel}?key=${server.app.key}${auth}` : `/app/${server.app.key}?protocol=7`;
    const client = this.#add(new LightClient(server, target, { localAddress }));
    if (!isFeed) this.#speak(client, channel);
    setTimeout(() => {
      if (random(3) === 0) client.reset();
      else if (random(2) === 0) client.socket.end();
      else client.destroy();
    }, 50 + random(4000));
  }

  #speak(client, channel) {
    client.onMessage = (payload) => {
      client.onMessage = null;
      const id = /"socket_id\\":\\"([\d.]+)/.exec(payload.toString('latin1'))?.[1];
      if (!id) return;
      const data = channel.startsWith('presence-') ? JSON.stringify({ user_id: `u${this.random(40)}` }) : undefined;
      const auth = /^(private|presence)-/.test(channel) ? channelAuth(this.server.app, id, channel, data) : undefined;
      client.send({ event: 'pusher:subscribe', data: { channel, auth, channel_data: data } });
      if (auth) client.send({ event: 'client-hello', channel, data: 'x'.repeat(this.random(300)) });
      if (this.random(4) === 0) client.send({ event: 'pusher:unsubscribe', data: { channel } });
      if (this.random(20) === 0) client.send('{"event":');
    };
  }

  /** Keeps as many readers of a sip now and then as there should be. */
  #slow() {
    const slow = [...this.open].filter((client) => client.isSlow);
    for (const client of slow) client.sip();
    if (this.paused) return;
    for (let i = slow.length; i < this.slow; i++) {
      const target = `/feed/${channelOf(this.random(2))}?key=${this.server.app.key}`;
      const client = this.#add(new LightClient(this.server, target, { localAddress: '127.0.8.200', sip: 4096 }));
      client.isSlow = true;
    }
  }

  #publish() {
    const { random } = this;
    const event = {
      name: 'e', channel: channelOf(random(3) === 0 ? random(2) : random(kChannels)), data: 'd'.repeat(random(10) === 0 ? 9000 : random(500)),
      priority: ['low', 'normal', 'high', 'urgent'][random(4)],
    };
    this.api.events(event).then(({ status }) => (status === 200 ? this.published++ : this.refused++), () => this.refused++);
  }

  end() {
    this.over = true;
    this.timers.forEach(clearInterval);
    this.api.close();
    for (const client of this.open) client.destroy();
    for (const { client } of this.residents) client.destroy();
  }
}

export function liveStart(server, options) {
  life = new Life(server, options);
}
/** Nobody comes and nothing is published until it is called with false; who is there leaves in time, the slow ones at once. */
export function livePause(paused) {
  life.paused = paused;
  if (paused) for (const client of life.open) if (client.isSlow) client.destroy();
}
/** So many times as many visits and publications a second as they agreed on. */
export function livePace(pace) {
  life.pace = pace;
}
export const liveFigures = () => ({
  open: life.open.size, visits: life.visits, published: life.published, refused: life.refused,
  here: life.residents.filter(({ isHere }) => isHere).length, returns: life.residents.map(({ times }) => times - 1),
});
export const liveEnd = () => life.end();

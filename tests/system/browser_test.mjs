// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The libraries where they live: a page with pusher-js and one with Laravel Echo in a real browser, an app backend with the
// official library, and Spillway between them. SPILLWAY_SCREENSHOTS=FOLDER keeps the pictures.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Browser, hasBrowser } from './support/browser.mjs';
import { deadline } from './support/deadline.mjs';
import { Server } from './support/server.mjs';
import { WebApp } from './support/web_app.mjs';

const picture = (name) => process.env.SPILLWAY_SCREENSHOTS && path.join(process.env.SPILLWAY_SCREENSHOTS, `${name}.png`);
const json = JSON.stringify;

/** The page got there; `lines` are what it must have shown, in any order. */
const shows = (page, ...lines) => page.until(`${json(lines)}.every((line) => page.events.includes(line))`);
const present = (page, ...members) => page.until(`JSON.stringify(page.present) === ${json(json(members))}`);

describe('the libraries in a browser', { skip: hasBrowser ? false : 'no Chromium on this host' }, () => {
  let browser;
  before(async () => (browser = await Browser.launch()));
  after(() => browser?.close());

  for (const cores of [1, 2]) {
    it(`pusher-js and Laravel Echo hear the backend and each other (--cores ${cores})`, { timeout: deadline(40_000) }, async () => {
      const server = await Server.start({ cores });
      const app = await WebApp.start(server);
      try {
        const { backend } = app;
        await backend.trigger('cache-price', 'said', { eur: 7 });
        const ann = await browser.page(app.url(`/pusher-js?user=ann&port=${server.port}`));
        await ann.until('page.subscribed.length === 5');
        await shows(ann, 'cache-price said: {"eur":7}');
        await present(ann, 'ann (Ann)');
        const bob = await browser.page(app.url(`/echo?user=bob&port=${server.port}`));
        await bob.until('page.subscribed.length === 4');
        for (const page of [ann, bob]) await present(page, 'ann (Ann)', 'bob (Bob)');
        await shows(ann, 'presence-room: bob came');

        const data = { title: 'Flood', n: 1 };
        await backend.trigger(['news', 'private-orders', 'presence-room'], 'said', data);
        await backend.trigger('private-encrypted-vault', 'said', data);
        await backend.trigger('news', 'App\\Events\\OrderShipped', { order: 7 });
        await ann.until('pusher.user.user_data?.id === "ann"');
        await backend.sendToUser('ann', 'note', 'for ann');
        const heard = ['news', 'private-orders', 'presence-room', 'private-encrypted-vault'].map((c) => `${c} said: ${json(data)}`);
        await shows(ann, ...heard, 'user note: for ann');
        await shows(bob, ...heard, 'OrderShipped: {"order":7}');

        await ann.value(`void page.whisper('private-orders', { typing: true })`);
        await ann.value(`void page.whisper('presence-room', { from: 'ann' })`);
        await shows(bob, 'private-orders whisper: {"typing":true}', 'presence-room whisper: {"from":"ann"}');
        await bob.value(`void page.whisper('presence-room', { from: 'bob' })`);
        await shows(ann, 'presence-room whisper of bob: {"from":"bob"}');
        assert.equal(await ann.value('document.getElementById("state").textContent'), 'connected');
        await ann.screenshot(picture(`pusher-js-${cores}`));
        await bob.screenshot(picture(`echo-${cores}`));

        await bob.value('void page.leave()');
        await shows(ann, 'presence-room: bob went');
        await present(ann, 'ann (Ann)');
        for (const page of [ann, bob]) {
          const lines = await page.value('page.events');
          assert.equal(new Set(lines).size, lines.length, `nothing twice: ${lines}`);
          assert.deepEqual(lines.filter((line) => / refused/.test(line)), []);
          assert.deepEqual(page.faults, []);
          await page.close();
        }
        await server.untilClients(0);
        await server.stop();
      } catch (error) {
        error.message += server.story();
        throw error;
      } finally {
        server.kill();
        app.close();
      }
    });
  }
});

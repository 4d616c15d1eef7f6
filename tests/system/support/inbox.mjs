// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a client received and nobody has looked at yet. `take` waits for the first item that matches and leaves the
// others in their order.

import { within } from './deadline.mjs';

export class Inbox {
  items = [];
  #waiters = [];
  #ended = null;

  push(item) {
    const at = this.#waiters.findIndex((w) => w.matches(item));
    if (at < 0) this.items.push(item);
    else this.#waiters.splice(at, 1)[0].resolve(item);
  }

  /** No more will come; those who wait fail with `reason`. */
  end(reason) {
    this.#ended ??= reason;
    for (const w of this.#waiters.splice(0)) w.reject(new Error(`${reason} while waiting for ${w.what}`));
  }

  take(what, matches = () => true, ms = 5000) {
    const at = this.items.findIndex(matches);
    if (at >= 0) return Promise.resolve(this.items.splice(at, 1)[0]);
    if (this.#ended) return Promise.reject(new Error(`${this.#ended}, so no ${what}`));
    let waiter;
    const arrival = new Promise((resolve, reject) => {
      waiter = { matches, what, resolve, reject };
      this.#waiters.push(waiter);
    });
    const story = () => `${what} (unread: ${JSON.stringify(this.items).slice(0, 500)})`;
    return within(ms, story, arrival).finally(() => {
      this.#waiters = this.#waiters.filter((w) => w !== waiter);
    });
  }
}

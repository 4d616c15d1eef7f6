// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Waiting for facts, never for luck: every wait names what it waits for and when it gives up.
// SPILLWAY_TEST_SLOWNESS stretches all deadlines (sanitizer builds, loaded machines).

const slowness = Number(process.env.SPILLWAY_TEST_SLOWNESS ?? 1);

/** A sanitizer's allocator surrounds and keeps what is freed: what is resident then tells nothing of what is used. */
export const residencyTells = slowness <= 1;

/** Milliseconds, stretched for slow builds. */
export const deadline = (ms) => ms * slowness;

/** Resolves with `promise`, or fails naming `what` after `ms`. */
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${describe(what)} within ${deadline(ms)} ms`)), deadline(ms));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks `condition` again and again until it is truthy; returns its value. */
export async function until(what, condition, ms = 5000) {
  const end = Date.now() + deadline(ms);
  for (let pause = 1; ; pause = Math.min(pause * 2, 25)) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`gave up after ${deadline(ms)} ms waiting until ${describe(what)}`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

const describe = (what) => (typeof what === 'function' ? what() : what);

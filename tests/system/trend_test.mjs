// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The judge of the soak, on series of which is known whether they grow: one sample a second, in KiB, as tools/soak takes them.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seeded } from '../attack/seeded.mjs';
import { trendOf } from '../attack/trend.mjs';

const matters = 10 / 60; // KiB a second
const minutes = (n) => n * 60;
const seeds = Array.from({ length: 100 }, (_, i) => i + 1);

/** Noise of standard deviation 1: the sum of twelve even numbers, less its mean. */
const noiseOf = (seed) => {
  const random = seeded(seed * 7919);
  return () => Array.from({ length: 12 }, () => random(1_000_000) / 1e6).reduce((sum, x) => sum + x, -6);
};
const quick = (seed, size) => {
  const noise = noiseOf(seed);
  return () => size * noise();
};
/** Noise that remembers: of each sample `keeps` is in the next. Begins in its midst. */
const slow = (seed, size, keeps) => {
  const noise = noiseOf(seed);
  let x = noise();
  return () => size * (x = keeps * x + Math.sqrt(1 - keeps * keeps) * noise());
};
const series = (n, at, noise) => Array.from({ length: n }, (_, second) => 40_000 + at(second) + noise());
const leak = (kibAMinute) => (second) => (kibAMinute * second) / 60;
const verdicts = (make) => {
  const counts = { flat: 0, grows: 0, shrinks: 0, undecided: 0 };
  for (const seed of seeds) counts[trendOf(make(seed), { matters }).verdict]++;
  return counts;
};

describe('what a soak says of memory', () => {
  it('noise that goes nowhere is flat, whether or not it remembers', () => {
    const counts = verdicts((seed) => series(minutes(10), leak(0), quick(seed, 40)));
    assert.ok(counts.flat >= 90, JSON.stringify(counts));
    const waves = verdicts((seed) => series(minutes(15), leak(0), slow(seed, 40, 0.95)));
    assert.ok(waves.flat >= 85 && waves.undecided <= 5, JSON.stringify(waves));
    assert.equal(trendOf(Array(300).fill(40_000), { matters }).verdict, 'flat');
  });

  it('a leak that matters is found under noise', () => {
    assert.equal(verdicts((seed) => series(minutes(10), leak(10), quick(seed, 40))).grows, 100);
    const under = verdicts((seed) => series(minutes(15), leak(10), slow(seed, 40, 0.95)));
    assert.ok(under.grows >= 95, JSON.stringify(under));
    assert.equal(verdicts((seed) => series(minutes(10), leak(-10), quick(seed, 40))).shrinks, 100);
  });

  it('the slope that would have been seen is told, and a leak of twice as much is found', () => {
    let found = 0;
    for (const seed of seeds) {
      const { seen } = trendOf(series(minutes(10), leak(0), quick(seed, 40)), { matters });
      assert.ok(seen * 60 > 0.5 && seen * 60 < 5, `${seen * 60} KiB a minute`);
      if (trendOf(series(minutes(10), leak(2 * seen * 60), quick(seed, 40)), { matters }).verdict === 'grows') found++;
    }
    assert.ok(found >= 90, `${found} of ${seeds.length}`);
  });

  it('a run that could not have seen a leak that matters is undecided, never flat', () => {
    const short = verdicts((seed) => series(60, leak(10), quick(seed, 100)));
    assert.equal(short.flat, 0, JSON.stringify(short));
    const wild = verdicts((seed) => series(minutes(5), leak(10), slow(seed, 200, 0.98)));
    assert.equal(wild.flat, 0, JSON.stringify(wild));
  });

  it('a quick noise on top does not hide that what is below wanders', () => {
    const both = (seed) => {
      const [above, below] = [quick(seed, 40), slow(seed + 1000, 40, 0.97)];
      return series(minutes(15), leak(0), () => above() + below());
    };
    const counts = verdicts(both);
    assert.ok(counts.grows <= 15, JSON.stringify(counts));
  });

  it('a pool that fills grows while it does, and is flat when it has', () => {
    const fills = (second) => 400 * (1 - Math.exp(-second / 60));
    const full = verdicts((seed) => series(minutes(15), fills, quick(seed, 20)).slice(minutes(6)));
    assert.ok(full.flat >= 85, JSON.stringify(full));
    assert.equal(verdicts((seed) => series(minutes(3), fills, quick(seed, 20))).grows, 100);
  });
});

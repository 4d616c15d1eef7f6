// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Numbers that come again with the same seed: xorshift32 (Marsaglia, "Xorshift RNGs", 2003).

/** A function that returns a whole number of [0, n). */
export function seeded(seed) {
  let state = seed >>> 0 || 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

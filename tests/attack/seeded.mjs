// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Numbers that come again with the same seed: xorshift32 (Marsaglia, "Xorshift RNGs", 2003).

/** A function that returns a whole number of [0, n). `stream`: of those with this seed, which. */
export function seeded(seed, stream = 0) {
  let state = (seed ^ Math.imul(stream, 0x9e3779b1)) >>> 0 || 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

/** n bytes of them. */
export function bytesOf(random, n) {
  const bytes = Buffer.allocUnsafe(n);
  for (let i = 0; i < n; i++) bytes[i] = random(256);
  return bytes;
}

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: large messages, fine fragments, fine chops, and a thousand messages in turn.

import { conformance, fragments, hears, KiB, MiB, pieces } from './support/conformance.mjs';
import { frame, op } from './support/frame_client.mjs';

/** Text of exactly so many bytes whose characters of one to four bytes lie across every border. */
function textOf(bytes) {
  const pattern = Buffer.from('spillway \u00b5\u20ac\u{1f30a} ');
  const payload = Buffer.alloc(bytes, 'x');
  for (let at = 0; at + pattern.length <= bytes; at += pattern.length) pattern.copy(payload, at);
  return payload;
}

/** Bytes that are no text, and differ everywhere. */
function binaryOf(bytes) {
  const payload = Buffer.alloc(bytes);
  for (let i = 0, x = 1; i < bytes; i++) payload[i] = (x = (x * 1664525 + 1013904223) >>> 0) >>> 24;
  return payload;
}

const kinds = [['text', op.text, textOf(16 * MiB)], ['binary', op.binary, binaryOf(16 * MiB)]];
const of = (kind, whole, size) => (kind === 'text' ? textOf(size) : whole.subarray(0, size));
const written = (bytes) => (bytes < MiB ? `${bytes < KiB ? `${bytes} bytes` : `${bytes / KiB} KiB`}` : `${bytes / MiB} MiB`);

const large = {};
const turns = {};
kinds.forEach(([kind, opcode, whole], k) => {
  [64 * KiB, 256 * KiB, MiB, 4 * MiB, 8 * MiB, 16 * MiB].forEach((size, i) => {
    large[`9.${1 + k}.${i + 1} ${size === 16 * MiB ? 'R16 ' : ''}${kind} of ${written(size)}`] = () => {
      const payload = of(kind, whole, size);
      return { says: [frame(opcode, payload)], answers: [hears[kind](payload)] };
    };
  });
  [64, 256, KiB, 4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB, MiB, 4 * MiB].forEach((size, i) => {
    large[`9.${3 + k}.${i + 1} ${kind} of 4 MiB in fragments of ${written(size)}`] = () => {
      const payload = of(kind, whole, 4 * MiB);
      return { says: fragments(opcode, payload, size), answers: [hears[kind](payload)] };
    };
  });
  [64, 128, 256, 512, 1024, 2048].forEach((size, i) => {
    large[`9.${5 + k}.${i + 1} ${kind} of 1 MiB in chops of ${size} bytes`] = () => {
      const payload = of(kind, whole, MiB);
      return { says: pieces(frame(opcode, payload), size), answers: [hears[kind](payload)], way: 'in a write for each frame' };
    };
  });
  [0, 16, 64, 256, 1024, 4096].forEach((size, i) => {
    turns[`9.${7 + k}.${i + 1} a thousand times ${kind} of ${size} bytes, each after the answer to the one before`] = () => {
      const payload = of(kind, whole, size);
      return { turns: Array.from({ length: 1000 }, () => ({ says: [frame(opcode, payload)], answers: [hears[kind](payload)] })), way: 'in one write' };
    };
  });
});
conformance('conformance: large messages', large, { together: 4 });
conformance('conformance: a thousand messages in turn', turns);

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: fragmentation, and control frames between fragments (RFC 6455 sections 5.4 and 5.5).

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { binary, close, conformance, echo, fragments, hears, MiB, more, open, ping, pong, text } from './support/conformance.mjs';
import { frame, FrameClient, op } from './support/frame_client.mjs';
import { onCores } from './support/server.mjs';

const stray = 'non-continuation payload';

conformance('conformance: fragmentation', {
  '5.1 a fragmented ping': { says: [ping('fragment1', open), more('fragment2')], fails: 1002 },
  '5.2 a fragmented pong': { says: [pong('fragment1', open), more('fragment2')], fails: 1002 },
  'a fragmented close': { says: [frame(op.close, Buffer.from([3, 232]), open)], fails: 1002 },
  '5.3 to 5.5 two fragments': { says: [text('fragment1', open), more('fragment2')], answers: [hears.text('fragment1fragment2')] },
  '5.6 to 5.8 a ping between two fragments': {
    says: [text('fragment1', open), ping('ping'), more('fragment2')], answers: [hears.pong('ping'), hears.text('fragment1fragment2')],
  },
  '5.9 to 5.11 a stray last continuation, then a message': { says: [more(stray), text('Hello, world!')], fails: 1002 },
  '5.12 to 5.14 a stray continuation, then a message': { says: [more(stray, open), text('Hello, world!')], fails: 1002 },
  '5.15 a message in fragments, a stray continuation, a message': {
    says: [text('fragment1', open), more('fragment2'), more('fragment3', open), text('fragment4')],
    answers: [hears.text('fragment1fragment2')], fails: 1002,
  },
  '5.16 twice: a stray continuation, and a message in fragments': {
    says: [1, 2].flatMap(() => [more('fragment1', open), text('fragment2', open), more('fragment3')]), fails: 1002,
  },
  '5.17 twice: a stray last continuation, and a message in fragments': {
    says: [1, 2].flatMap(() => [more('fragment1'), text('fragment2', open), more('fragment3')]), fails: 1002,
  },
  '5.18 a text inside a fragmented text': { says: [text('fragment1', open), text('fragment2')], fails: 1002 },
  'a binary inside a fragmented text': { says: [text('fragment1', open), binary('fragment2', open)], fails: 1002 },
  'a continuation behind the last': { says: [text('a', open), more('b'), more('c')], answers: [hears.text('ab')], fails: 1002 },
  '5.19 five fragments, and a ping behind two of them': {
    says: [text('fragment1', open), more('fragment2', open), ping('ping1'), more('fragment3', open), more('fragment4', open), ping('ping2'), more('fragment5')],
    answers: [hears.pong('ping1'), hears.pong('ping2'), hears.text('fragment1fragment2fragment3fragment4fragment5')],
  },
  '5.20 five fragments, and a pause for the pong behind two of them': {
    turns: [
      { says: [text('fragment1', open), more('fragment2', open), ping('ping1')], answers: [hears.pong('ping1')] },
      { says: [more('fragment3', open), more('fragment4', open), ping('ping2')], answers: [hears.pong('ping2')] },
      { says: [more('fragment5')], answers: [hears.text('fragment1fragment2fragment3fragment4fragment5')] },
    ],
  },
  'fragments with an unasked pong between them': { says: [text('a', open), pong('x'), more('b')], answers: [hears.text('ab')] },
  'ten pings between two fragments': {
    says: [text('a', open), ...Array.from({ length: 10 }, (_, i) => ping(`p${i}`)), more('b')],
    answers: [...Array.from({ length: 10 }, (_, i) => hears.pong(`p${i}`)), hears.text('ab')],
  },
  'a close between fragments ends it, and the message is nobody\'s': { says: [text('half', open), close(1001), more('late')], closes: 1001 },
  ...Object.fromEntries([[1, 0, 1], [0, 0, 5], [5, 0, 0], [0, 0, 0], [125, 126, 127], [1, 65535, 65536]].map((sizes) => [
    `fragments of ${sizes.join(', ')} bytes`,
    () => {
      const parts = sizes.map((size) => randomBytes(size));
      return {
        says: parts.map((part, i) => frame(i ? op.continuation : op.binary, part, { fin: i === sizes.length - 1 })),
        answers: [hears.binary(Buffer.concat(parts))],
      };
    },
  ])),
  'a thousand fragments of one byte': { says: fragments(op.text, Buffer.alloc(1000, 'x'), 1), answers: [hears.text('x'.repeat(1000))] },
  'a hundred messages in fragments, one behind the other': {
    says: Array.from({ length: 100 }, (_, i) => [text(`a${i}`, open), more('b', open), more('c')]).flat(),
    answers: Array.from({ length: 100 }, (_, i) => hears.text(`a${i}bc`)),
  },
});

onCores('conformance: floods of fragments', { flags: echo }, (group) => {
  group('a flood of tiny fragments ends with a close, not with memory', async (server) => {
    const before = server.residentBytes();
    const client = await FrameClient.open(server, '/echo');
    client.send(op.binary, 'x', open);
    const flood = Buffer.concat(Array.from({ length: 10_000 }, () => more('x', open)));
    for (let i = 0; i < 50 && !client.raw.ended; i++) await client.raw.flush(flood);
    await client.failsWith(1008);
    assert.ok(server.residentBytes() - before < 64 * MiB, `grew by ${server.residentBytes() - before}`);
  });
});

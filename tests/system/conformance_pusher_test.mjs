// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance over Pusher's path: the rules are the connection's, not the endpoint's, but messages have a language of their own.

import assert from 'node:assert/strict';
import { binary, close, conformance, hears, more, open, ping as wsPing, pong, text } from './support/conformance.mjs';
import { frame, op } from './support/frame_client.mjs';

const longest = Buffer.alloc(125, 0xfe);
const ping = '{"event":"pusher:ping","data":{}}';
const answer = hears.text('{"event":"pusher:pong","data":"{}"}');
const ten = Array.from({ length: 10 }, (_, i) => `payload ${i}`);

conformance('conformance: the Pusher path', {
  'a message': { says: [text(ping)], answers: [answer] },
  'a message in fragments': { says: [text(ping.slice(0, 9), open), more(ping.slice(9))], answers: [answer] },
  'empty fragments': { says: [text('', open), more(ping, open), more()], answers: [answer] },
  'a pong that nobody asked for': { says: [pong('x'), text(ping)], answers: [answer] },
  'a mask of zeros': { says: [text(ping, { mask: Buffer.alloc(4) })], answers: [answer] },
  'a ping is answered with exactly its payload': {
    says: [wsPing(), wsPing('x'), wsPing(longest)], answers: [hears.pong(), hears.pong('x'), hears.pong(longest)],
  },
  'ten pings': { says: ten.map((each) => wsPing(each)), answers: ten.map((each) => hears.pong(each)) },
  'a ping between fragments': { says: [text(ping.slice(0, 9), open), wsPing('p'), more(ping.slice(9))], answers: [hears.pong('p'), answer] },
  'a message before what is wrong is answered': { turns: [{ says: [text(ping)], answers: [answer] }, { says: [frame(5, ping)] }], fails: 1002 },
  'an unmasked frame': { says: [text(ping, { mask: null })], fails: 1002 },
  'a reserved bit': { says: [text(ping, { rsv: 4 })], fails: 1002 },
  'a reserved opcode': { says: [frame(5, ping)], fails: 1002 },
  'a reserved control opcode': { says: [frame(11)], fails: 1002 },
  'a binary message': { says: [binary(ping)], fails: 1003 },
  'text that is no UTF-8': { says: [text(Buffer.from([0xff]))], fails: 1007 },
  'text that is no UTF-8, in a fragment': { says: [text(Buffer.from([0xff]), open)], fails: 1007 },
  'text that is no UTF-8, in the first half of a frame': { says: [text(Buffer.alloc(1000, 0xff)).subarray(0, 50)], fails: 1007 },
  'a message one over --max-message': { says: [text('', { declare: BigInt(32 * 1024 + 1) })], fails: 1009 },
  'a declared length of 2^62': { says: [text('', { declare: 2n ** 62n })], fails: 1009 },
  'a declared length of 2^63': { says: [text('', { declare: 2n ** 63n })], fails: 1002 },
  'a ping of 126 bytes': { says: [wsPing(Buffer.alloc(126))], fails: 1002 },
  'a fragmented ping': { says: [wsPing('', open)], fails: 1002 },
  'a continuation of nothing': { says: [more(ping)], fails: 1002 },
  'a message inside another': { says: [text('a', open), text('b')], fails: 1002 },
  'a length in a longer form than needed': { says: [text(ping, { lengthForm: 64 })], fails: 1002 },
  'more fragments than there may be': { says: [text('x', open), ...Array.from({ length: 1024 }, () => more('x', open))], fails: 1008 },
  'a close of one byte': { says: [frame(op.close, 'x')], fails: 1002 },
  'an invalid close code': { says: [close(1005)], fails: 1002 },
  'a close reason that is no UTF-8': { says: [frame(op.close, Buffer.from([3, 232, 0xff]))], fails: 1007 },
  'a close with 1000': { says: [close(1000, 'bye')], closes: 1000 },
  'a close with 4999': { says: [close(4999)], closes: 4999 },
  'what follows a close is not answered': { says: [close(1000), text(ping), wsPing('late')], closes: 1000 },
}, {
  target: '/app/app-key?protocol=7',
  flags: [],
  greet: async (client) => assert.match((await client.frame()).payload.toString(), /connection_established/),
});

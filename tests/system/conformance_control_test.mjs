// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: pings and pongs, reserved bits, reserved opcodes, unmasked frames (RFC 6455 sections 5.1, 5.2 and 5.5).

import assert from 'node:assert/strict';
import { binary, close, conformance, hears, more, open, ping, pong, text } from './support/conformance.mjs';
import { frame, op } from './support/frame_client.mjs';

const longest = Buffer.alloc(125, 0xfe);
const notUtf8 = Buffer.from('00fffefdfcfb00ff', 'hex');
const ten = Array.from({ length: 10 }, (_, i) => `payload ${i}`);

conformance('conformance: pings and pongs', {
  '2.1 an empty ping': { says: [ping()], answers: [hears.pong()] },
  '2.2 a ping with text': { says: [ping('Hello, world!')], answers: [hears.pong('Hello, world!')] },
  '2.3 a ping whose payload is no UTF-8': { says: [ping(notUtf8)], answers: [hears.pong(notUtf8)] },
  '2.4, 2.6 a ping of 125 bytes': { says: [ping(longest)], answers: [hears.pong(longest)] },
  '2.5 a ping of 126 bytes': { says: [ping(Buffer.alloc(126, 0xfe))], fails: 1002 },
  'a pong of 126 bytes': { says: [pong(Buffer.alloc(126, 0xfe))], fails: 1002 },
  '2.7 an empty pong that nobody asked for': { says: [pong()] },
  '2.8 a pong that nobody asked for': { says: [pong('unsolicited pong payload')] },
  '2.9 a pong that nobody asked for, then a ping': { says: [pong('unsolicited'), ping('ping')], answers: [hears.pong('ping')] },
  '2.10, 2.11 ten pings': { says: ten.map((each) => ping(each)), answers: ten.map((each) => hears.pong(each)) },
  'ten pings, each after the pong to the one before': { turns: ten.map((each) => ({ says: [ping(each)], answers: [hears.pong(each)] })) },
  'pings of 1 and 124 bytes, then a message': {
    says: [ping('x'), ping('y'.repeat(124)), text('after')],
    answers: [hears.pong('x'), hears.pong('y'.repeat(124)), hears.text('after')],
  },
  'R3 of 200 pings in one write sixteen are answered at least, in order, and the newest is the last': {
    custom: async (connect) => {
      const client = await connect();
      await client.raw.flush(Buffer.concat(Array.from({ length: 200 }, (_, i) => ping(String(i)))));
      const answered = [];
      while (answered.at(-1) !== 199) {
        const { opcode, payload } = await client.frame();
        assert.equal(opcode, op.pong);
        answered.push(Number(payload));
      }
      assert.ok(answered.length >= 16, `${answered.length} pongs`);
      assert.ok(answered.every((n, i) => i === 0 || n > answered[i - 1]), answered.join());
      assert.deepEqual(answered.slice(0, 15), Array.from({ length: 15 }, (_, i) => i));
      client.raw.write(close(1000));
      await client.closesWith(1000);
    },
  },
});

const frames = { text, binary, ping, pong, close: (_, options) => frame(op.close, Buffer.from([3, 232]), options) };
const reserved = {
  '3.1 rsv 1': { says: [text('x', { rsv: 1 })], fails: 1002 },
  '3.2 a message, one with rsv 2, a ping': { says: [text('first'), text('x', { rsv: 2 }), ping()], answers: [hears.text('first')], fails: 1002 },
  '3.3 a message, one with rsv 3, a ping': { says: [text('first'), text('x', { rsv: 3 }), ping()], answers: [hears.text('first')], fails: 1002 },
  '3.4 a message, one with rsv 4, a ping': { says: [text('first'), text('x', { rsv: 4 }), ping()], answers: [hears.text('first')], fails: 1002 },
  '3.5 a binary message with rsv 5': { says: [binary('x', { rsv: 5 })], fails: 1002 },
  '3.6 a ping with rsv 6': { says: [ping('x', { rsv: 6 })], fails: 1002 },
  '3.7 a close with rsv 7': { says: [frames.close('', { rsv: 7 })], fails: 1002 },
};
for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
  for (const [name, make] of Object.entries(frames)) {
    reserved[`a ${name} with rsv ${rsv}, between a message and a ping`] = {
      says: [text('first'), make('x', { rsv }), ping()], answers: [hears.text('first')], fails: 1002,
    };
  }
  reserved[`a continuation with rsv ${rsv}`] = { says: [text('x', open), more('y', { rsv })], fails: 1002 };
}
conformance('conformance: reserved bits', reserved);

const opcodes = {};
for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  const number = opcode < 8 ? `4.1.${opcode - 2}` : `4.2.${opcode - 10}`;
  opcodes[`${number} opcode ${opcode}`] = { says: [frame(opcode)], fails: 1002 };
  opcodes[`${number} opcode ${opcode} with a payload`] = { says: [frame(opcode, 'reserved opcode payload')], fails: 1002 };
  for (const payload of ['', 'reserved opcode payload']) {
    opcodes[`${number} a message, opcode ${opcode} with ${payload.length} bytes, a ping`] = {
      says: [text('Hello, world!'), frame(opcode, payload), ping()], answers: [hears.text('Hello, world!')], fails: 1002,
    };
  }
  opcodes[`opcode ${opcode} within a message`] = { says: [text('x', open), frame(opcode), more('y')], fails: 1002 };
}
conformance('conformance: reserved opcodes', opcodes);

const bare = {};
for (const [name, make] of Object.entries(frames)) {
  bare[`an unmasked ${name}`] = { says: [make('bare', { mask: null })], fails: 1002 };
  bare[`an unmasked ${name} behind a message`] = { says: [text('first'), make('bare', { mask: null })], answers: [hears.text('first')], fails: 1002 };
}
bare['an unmasked continuation'] = { says: [text('x', open), more('y', { mask: null })], fails: 1002 };
bare['mask keys 0, ff and 1'] = {
  says: [Buffer.alloc(4, 0), Buffer.alloc(4, 0xff), Buffer.from([1, 0, 0, 0])].map((mask) => text('masked', { mask })),
  answers: [hears.text('masked'), hears.text('masked'), hears.text('masked')],
};
conformance('conformance: masks', bare);

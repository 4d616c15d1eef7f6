// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: the closing handshake, close codes and reasons (RFC 6455 sections 5.5.1 and 7).

import { randomBytes } from 'node:crypto';
import { close, conformance, echo, hears, KiB, more, open, ping, text } from './support/conformance.mjs';
import { frame, FrameClient, op } from './support/frame_client.mjs';
import { onCores } from './support/server.mjs';

const hello = 'Hello, world!';
const bytesOf = (...bytes) => frame(op.close, Buffer.from(bytes));
const long = Buffer.alloc(256 * KiB, 'BAsd7&jh23');

conformance('conformance: the closing handshake', {
  '7.1.1 a message, then a close': { says: [text(hello), close(1000)], answers: [hears.text(hello)], closes: 1000 },
  '7.1.2 a second close is not answered': { says: [close(1000), close(1001)], closes: 1000 },
  '7.1.3 a ping behind the close is not answered': { says: [close(1000), ping()], closes: 1000 },
  '7.1.4 a message behind the close is not answered': { says: [close(1000), text(hello)], closes: 1000 },
  '7.1.5 a continuation behind the close': { says: [text('fragment1', open), close(1000), more('fragment2')], closes: 1000 },
  '7.1.6 a message of 256 KiB, a close, a ping': { says: [text(long), close(1000), ping()], answers: [hears.text(long)], closes: 1000 },
  'what is illegal behind the close is not judged': { says: [close(1000), frame(5, 'x'), text('x', { rsv: 7 })], closes: 1000 },
  '7.3.1 an empty close is answered as empty as it was': { says: [frame(op.close)], closes: 1005 },
  '7.3.2 a close of one byte': { says: [bytesOf(0x61)], fails: 1002 },
  '7.3.3 a close with a code': { says: [close(1000)], closes: 1000 },
  '7.3.4 a close with a code and a reason': { says: [close(1000, hello)], closes: 1000 },
  '7.3.5 a close with a reason of 123 bytes': { says: [close(1000, '*'.repeat(123))], closes: 1000 },
  '7.3.6 a close of 126 bytes': { says: [close(1000, '*'.repeat(124))], fails: 1002 },
  '7.5.1 a reason that is no UTF-8': {
    says: [bytesOf(3, 232, ...Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex'))], fails: 1007,
  },
  'a reason that ends inside a character': { says: [bytesOf(3, 232, 0xe2, 0x82)], fails: 1007 },
  'a reason in other scripts, up to the last byte': {
    variants: Object.fromEntries(['\u00e4', '\u{1f30a}'.repeat(30), `x${'\u20ac'.repeat(40)}xx`].map((reason) => [reason, { says: [close(1000, reason)], closes: 1000 }])),
  },
});

const codes = {};
[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].forEach((code, i) => {
  codes[`7.7.${i + 1} R2 close code ${code} is echoed`] = { says: [close(code)], closes: code };
});
for (const code of [1012, 1013, 1014]) codes[`R2 close code ${code}, registered since, is echoed`] = { says: [close(code)], closes: code };
[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999].forEach((code, i) => {
  codes[`7.9.${i + 1} close code ${code} is invalid`] = { says: [close(code)], fails: 1002 };
});
for (const code of [1, 1015, 1099]) codes[`close code ${code} is invalid`] = { says: [close(code)], fails: 1002 };
[5000, 65535].forEach((code, i) => {
  codes[`7.13.${i + 1} close code ${code} is invalid`] = { says: [close(code)], fails: 1002 };
});
for (const code of [1005, 2999]) codes[`close code ${code} with a reason is invalid`] = { says: [close(code, hello)], fails: 1002 };
conformance('conformance: close codes', codes);

onCores('conformance: ends without a close', { flags: echo }, (group) => {
  group('an end of the connection without a close leaves nothing behind', async (server) => {
    const client = await FrameClient.open(server, '/echo');
    client.raw.socket.end();
    await client.raw.closed();
  });
  group('R1 a reset in the middle of a message leaves nothing behind', async (server) => {
    for (let i = 0; i < 20; i++) {
      const client = await FrameClient.open(server, '/echo');
      await client.raw.flush(frame(op.binary, randomBytes(100_000)).subarray(0, 50_000 + i));
      client.raw.reset();
    }
    await server.untilClients(0);
  });
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: lengths and their forms, lies about them, chops and sips, extensions (RFC 6455 sections 5.2, 5.3 and 9.1).

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { binary, conformance, echo, fragments, hears, KiB, MiB, more, open, pieces, ping, text } from './support/conformance.mjs';
import { closeFrame, frame, FrameClient, op } from './support/frame_client.mjs';
import { onCores } from './support/server.mjs';

const lengths = {};
[0, 125, 126, 127, 128, 65535, 65536].forEach((length, i) => {
  lengths[`1.1.${i + 1} text of ${length} bytes`] = { says: [text('*'.repeat(length))], answers: [hears.text('*'.repeat(length))] };
  const bytes = randomBytes(length);
  lengths[`1.2.${i + 1} binary of ${length} bytes`] = { says: [binary(bytes)], answers: [hears.binary(bytes)] };
});
for (const length of [1, 2, 124, 254, 255, 256, 4087, 4088, 4089, 16 * KiB, 16 * KiB + 1, 65537]) {
  const bytes = randomBytes(length);
  lengths[`binary of ${length} bytes`] = { says: [binary(bytes)], answers: [hears.binary(bytes)] };
}
for (const opcode of [op.text, op.binary]) {
  const bytes = Buffer.alloc(64 * KiB, '*');
  const kind = opcode === op.text ? 'text' : 'binary';
  const answers = [hears[kind](bytes)];
  lengths[`1.${opcode}.8 ${kind} of 65536 bytes in chops of 997`] = { says: pieces(frame(opcode, bytes), 997), answers, way: 'in a write for each frame' };
  lengths[`${kind} of 65536 bytes whose header comes byte by byte`] = () => {
    const whole = frame(opcode, bytes);
    return { says: [...pieces(whole.subarray(0, 20), 1), whole.subarray(20)], answers, way: 'in a write for each frame' };
  };
}
lengths['10.1.1 text of 65536 bytes in fragments of 1300'] = {
  says: fragments(op.text, Buffer.alloc(64 * KiB, '*'), 1300), answers: [hears.text('*'.repeat(64 * KiB))],
};
for (const piece of [2, 3, 4, 5, 6, 7]) {
  lengths[`lengths of every form in chops of ${piece}`] = () => {
    const payloads = [0, 1, 125, 126, 300, 1000].map((length) => randomBytes(length));
    return {
      says: pieces(Buffer.concat(payloads.map((payload) => binary(payload))), piece),
      answers: payloads.map((payload) => hears.binary(payload)), way: 'in a write for each frame',
    };
  };
}
lengths['500 messages in one write come back in order'] = {
  says: Array.from({ length: 500 }, (_, i) => text(`m${i}`)), answers: Array.from({ length: 500 }, (_, i) => hears.text(`m${i}`)),
};
conformance('conformance: lengths', lengths);

const lies = {};
for (const [length, lengthForm] of [[0, 16], [5, 16], [125, 16], [5, 64], [126, 64], [65535, 64]]) {
  lies[`${length} bytes whose length is in ${lengthForm} bits, a longer form than needed`] = { says: [binary(Buffer.alloc(length), { lengthForm })], fails: 1002 };
}
for (const [declare, fails] of [[2n ** 63n, 1002], [2n ** 64n - 1n, 1002], [2n ** 64n - 4n, 1002], [2n ** 63n - 1n, 1009], [2n ** 62n, 1009], [2n ** 32n + 5n, 1009]]) {
  lies[`a declared length of ${declare}`] = { says: [binary('x', { declare, lengthForm: 64 })], fails };
}
lies['one over --max-message'] = { says: [binary('', { declare: BigInt(16 * MiB + 1) })], fails: 1009 };
lies['fragments that together go over --max-message'] = () => ({ says: [binary(Buffer.alloc(9 * MiB), open), more('', { declare: BigInt(9 * MiB) })], fails: 1009 });
lies['fragments whose sum is over 2^64'] = () => ({ says: [binary(Buffer.alloc(MiB), open), more('', { declare: 2n ** 63n - 1n })], fails: 1009 });
conformance('conformance: lies about lengths', lies);

// 12.x and 13.x of the list are about compression, which is not spoken: the offer is declined, and a compressed frame is wrong.
const offers = {};
for (const offer of ['permessage-deflate', 'permessage-deflate; client_max_window_bits', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  'permessage-deflate; server_max_window_bits=9, permessage-deflate', 'x-webkit-deflate-frame', 'permessage-bzip2', 'foo; bar="b,a;z"']) {
  offers[`12, 13 the offer of ${offer} is declined`] = {
    custom: async (connect) => {
      for (const compressed of [false, true]) {
        const client = await connect({ change: { 'Sec-WebSocket-Extensions': offer } });
        assert.equal(client.answer.headers['sec-websocket-extensions'], undefined);
        client.send(op.text, 'plain');
        assert.equal((await client.message()).payload.toString(), 'plain');
        client.raw.write(compressed ? text(Buffer.from('f248cdc9c90700', 'hex'), { rsv: 4 }) : closeFrame(1000));
        await (compressed ? client.failsWith(1002) : client.closesWith(1000));
      }
    },
  };
}
conformance('conformance: extensions', offers);

onCores('conformance: reading little', { flags: echo }, (group) => {
  group('a client that reads one byte at a time gets every byte', async (server) => {
    // Then odd sizes. The answers are more than the buffers of both ends hold, so that sends run short wherever the kernel likes.
    let reads = 0;
    const sip = () => (reads++ < 20_000 ? 1 : 1 + ((reads * 7919) % 50_000));
    const client = await FrameClient.open(server, '/echo', { sip });
    client.raw.socket.pause();
    const payloads = [0, 1, 125, 126, 5000, 70_000, 12 * MiB, 125, 70_000].map((length) => randomBytes(length));
    await client.raw.flush(Buffer.concat(payloads.flatMap((payload, i) => [binary(payload), ping(`p${i}`)])));
    client.raw.socket.resume();
    const pongs = [];
    for (const payload of payloads) {
      let next = await client.message(10_000);
      for (; next.opcode === op.pong; next = await client.message(10_000)) pongs.push(next.payload.toString());
      assert.ok(next.payload.equals(payload), `a message of ${payload.length} bytes`);
    }
    while (pongs.length < payloads.length) pongs.push((await client.message()).payload.toString());
    assert.deepEqual(pongs, payloads.map((_, i) => `p${i}`));
    assert.ok(reads > 20_000, `${reads} reads`);
    client.raw.write(closeFrame(1000));
    await client.closesWith(1000);
  });
  group('H6 announced giants cost nothing', async (server) => {
    const before = server.residentBytes();
    const clients = await Promise.all(Array.from({ length: 200 }, () => FrameClient.open(server, '/echo')));
    for (const client of clients) client.send(op.binary, 'x', { declare: BigInt(16 * MiB), lengthForm: 64 });
    const last = await FrameClient.open(server, '/echo');
    last.raw.write(ping('all were read'));
    await last.frame();
    assert.ok(server.residentBytes() - before < 64 * MiB, `grew by ${server.residentBytes() - before}`);
  });
});

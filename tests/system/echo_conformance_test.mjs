// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// WebSocket conformance over the echo endpoint, frame by frame: framing, control frames, fragmentation, UTF-8, close
// codes, limits. The cases follow RFC 6455 sections 5 to 8.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { until } from './support/deadline.mjs';
import { closeFrame, frame, FrameClient, op } from './support/frame_client.mjs';
import { onCores } from './support/server.mjs';

const MiB = 1024 * 1024;
const options = { flags: ['--echo', '/echo', '--max-message', '16MiB'] };
const open = (server) => FrameClient.open(server, '/echo');

async function echoes(client, opcode, payload, ms) {
  const message = await client.message(ms);
  assert.equal(message?.opcode, opcode);
  assert.ok(message.payload.equals(Buffer.from(payload)), `payload of ${message.payload.length} bytes`);
}

onCores('echo: framing', options, (group) => {
  for (const opcode of [op.text, op.binary]) {
    for (const length of [0, 1, 2, 125, 126, 127, 128, 65535, 65536, 65537, MiB]) {
      group(`${opcode === op.text ? 'text' : 'binary'} of ${length} bytes`, async (server) => {
        const client = await open(server);
        const payload = opcode === op.text ? Buffer.alloc(length, 'spillway ') : randomBytes(length);
        client.send(opcode, payload);
        await echoes(client, opcode, payload);
      });
    }
  }

  group('R16 a message of exactly 16 MiB', async (server) => {
    const client = await open(server);
    const payload = randomBytes(16 * MiB);
    client.send(op.binary, payload);
    await echoes(client, op.binary, payload, 15_000);
  });

  group('mask keys 0 and ff, and any phase over reads', async (server) => {
    const client = await open(server);
    for (const mask of [Buffer.alloc(4, 0), Buffer.alloc(4, 0xff), Buffer.from([1, 0, 0, 0])]) {
      client.send(op.text, 'masked', { mask });
      await echoes(client, op.text, 'masked');
    }
    const payload = randomBytes(1000);
    const bytes = frame(op.binary, payload);
    for (let piece = 1; piece < 8; piece++) {
      for (let at = 0; at < bytes.length; at += piece) await client.raw.flush(bytes.subarray(at, at + piece));
      await echoes(client, op.binary, payload);
    }
  });

  group('many small messages in one write come back in order', async (server) => {
    const client = await open(server);
    client.raw.write(Buffer.concat(Array.from({ length: 500 }, (_, i) => frame(op.text, `m${i}`))));
    for (let i = 0; i < 500; i++) await echoes(client, op.text, `m${i}`);
  });

  for (const [length, lengthForm] of [[0, 16], [5, 16], [125, 16], [5, 64], [126, 64], [65535, 64]]) {
    group(`${length} bytes whose length is in ${lengthForm} bits, a longer form than needed: 1002`, async (server) => {
      const client = await open(server);
      client.send(op.binary, Buffer.alloc(length), { lengthForm });
      await client.failsWith(1002);
    });
  }

  const lies = [[2n ** 63n, 1002], [2n ** 64n - 1n, 1002], [2n ** 64n - 4n, 1002], [2n ** 63n - 1n, 1009], [2n ** 62n, 1009], [2n ** 32n + 5n, 1009]];
  for (const [declare, code] of lies) {
    group(`a declared length of ${declare}: ${code}`, async (server) => {
      const client = await open(server);
      client.send(op.binary, 'x', { declare, lengthForm: 64 });
      assert.equal((await client.closing()).code, code);
    });
  }

  for (const piece of [1, 2, 3]) {
    group(`lengths of every form, written in pieces of ${piece}`, async (server) => {
      const client = await open(server);
      for (const length of [0, 1, 125, 126, 300]) {
        const payload = randomBytes(length);
        const bytes = frame(op.binary, payload);
        for (let at = 0; at < bytes.length; at += piece) await client.raw.flush(bytes.subarray(at, at + piece));
        await echoes(client, op.binary, payload);
      }
      const long = randomBytes(65536);
      const bytes = frame(op.binary, long);
      for (let at = 0; at < 20; at += piece) await client.raw.flush(bytes.subarray(at, Math.min(20, at + piece)));
      client.raw.write(bytes.subarray(20));
      await echoes(client, op.binary, long);
    });
  }

  group('a client that reads one byte at a time gets every byte', async (server) => {
    const client = await open(server);
    const { socket } = client.raw;
    const bytes = [];
    socket.pause();
    socket.removeAllListeners('data');
    const sip = () => {
      for (let byte; (byte = socket.read(1)) !== null;) bytes.push(byte[0]);
    };
    socket.on('readable', sip);
    const payloads = [0, 1, 125, 126, 5000, 70_000].map((length) => randomBytes(length));
    for (const payload of payloads) client.send(op.binary, payload);
    const expected = Buffer.concat(payloads.map((payload) => frame(op.binary, payload, { mask: null })));
    await until('all of it is read', () => bytes.length >= expected.length);
    assert.ok(expected.equals(Buffer.from(bytes)));
  });

  group('H6 announced giants cost nothing', async (server) => {
    const before = server.residentBytes();
    const clients = await Promise.all(Array.from({ length: 200 }, () => open(server)));
    for (const client of clients) client.send(op.binary, 'x', { declare: BigInt(16 * MiB), lengthForm: 64 });
    const last = await open(server);
    last.send(op.ping, 'all were read');
    await last.frame();
    assert.ok(server.residentBytes() - before < 64 * MiB, `grew by ${server.residentBytes() - before}`);
  });

  for (const [what, bytes] of Object.entries({
    'one over --max-message': frame(op.binary, '', { declare: BigInt(16 * MiB + 1) }),
    'fragments that together go over it': Buffer.concat([
      frame(op.binary, Buffer.alloc(9 * MiB), { fin: false }), frame(op.continuation, '', { declare: BigInt(9 * MiB) }),
    ]),
  })) {
    group(`${what}: 1009`, async (server) => {
      const client = await open(server);
      client.raw.write(bytes);
      await client.failsWith(1009);
    });
  }

  group('fragments whose sum is over 2^64: 1009', async (server) => {
    const client = await open(server);
    client.send(op.binary, Buffer.alloc(MiB), { fin: false });
    client.send(op.continuation, '', { declare: 2n ** 63n - 1n });
    await client.failsWith(1009);
  });

  for (const [name, opcode] of Object.entries({ text: op.text, binary: op.binary, ping: op.ping, pong: op.pong, close: op.close })) {
    group(`an unmasked ${name}: 1002`, async (server) => {
      const client = await open(server);
      client.send(opcode, opcode === op.close ? Buffer.from([3, 232]) : 'bare', { mask: null });
      await client.failsWith(1002);
    });
  }
});

onCores('echo: reserved bits and opcodes', options, (group) => {
  for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
    group(`reserved bits ${rsv}: 1002`, async (server) => {
      const client = await open(server);
      client.send(op.text, 'x', { rsv });
      await client.failsWith(1002);
    });
  }
  for (const opcode of [op.ping, op.pong, op.close, op.continuation]) {
    group(`reserved bits on opcode ${opcode}: 1002`, async (server) => {
      const client = await open(server);
      if (opcode === op.continuation) client.send(op.text, 'x', { fin: false });
      client.send(opcode, '', { rsv: 4 });
      await client.failsWith(1002);
    });
  }
  for (const opcode of [3, 7, 11, 15]) {
    group(`opcode ${opcode} with nothing in it, in single bytes: 1002`, async (server) => {
      const client = await open(server);
      for (const byte of frame(opcode)) await client.raw.flush(Buffer.from([byte]));
      await client.failsWith(1002);
    });
  }
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    group(`opcode ${opcode}: 1002`, async (server) => {
      const client = await open(server);
      client.send(op.text, 'before');
      await echoes(client, op.text, 'before');
      client.send(opcode, 'x');
      await client.failsWith(1002);
    });
  }
});

onCores('echo: pings and pongs', options, (group) => {
  for (const length of [0, 1, 124, 125]) {
    group(`a ping of ${length} bytes is answered with exactly them`, async (server) => {
      const client = await open(server);
      const payload = randomBytes(length);
      client.send(op.ping, payload);
      await echoes(client, op.pong, payload);
    });
  }
  for (const [name, opcode] of Object.entries({ ping: op.ping, pong: op.pong })) {
    group(`a ${name} of 126 bytes: 1002`, async (server) => {
      const client = await open(server);
      client.send(opcode, Buffer.alloc(126));
      await client.failsWith(1002);
    });
    group(`a fragmented ${name}: 1002`, async (server) => {
      const client = await open(server);
      client.send(opcode, 'x', { fin: false });
      await client.failsWith(1002);
    });
  }
  group('an unasked pong is ignored', async (server) => {
    const client = await open(server);
    client.send(op.pong, 'nobody asked');
    client.send(op.text, 'next');
    await echoes(client, op.text, 'next');
  });
  group('ten pings one by one', async (server) => {
    const client = await open(server);
    for (let i = 0; i < 10; i++) {
      client.send(op.ping, `p${i}`);
      await echoes(client, op.pong, `p${i}`);
    }
  });
  group('2.10 ten pings in one write: ten pongs, in order', async (server) => {
    const client = await open(server);
    client.raw.write(Buffer.concat(Array.from({ length: 10 }, (_, i) => frame(op.ping, `p${i}`))));
    for (let i = 0; i < 10; i++) await echoes(client, op.pong, `p${i}`);
  });
  group('R3 of 200 pings in one write sixteen are answered at least, in order, and the newest is the last', async (server) => {
    const client = await open(server);
    client.raw.write(Buffer.concat(Array.from({ length: 200 }, (_, i) => frame(op.ping, String(i)))));
    const answered = [];
    while (answered.at(-1) !== 199) {
      const pong = await client.frame();
      assert.equal(pong.opcode, op.pong);
      answered.push(Number(pong.payload));
    }
    assert.ok(answered.length >= 16, `${answered.length} pongs`);
    assert.ok(answered.every((n, i) => i === 0 || n > answered[i - 1]), answered.join());
  });
  group('a ping in single bytes', async (server) => {
    const client = await open(server);
    for (const byte of frame(op.ping, 'slowly')) await client.raw.flush(Buffer.from([byte]));
    await echoes(client, op.pong, 'slowly');
  });
});

onCores('echo: fragmentation', options, (group) => {
  group('two fragments make one message', async (server) => {
    const client = await open(server);
    client.send(op.text, 'frag', { fin: false });
    client.send(op.continuation, 'ment');
    await echoes(client, op.text, 'fragment');
  });
  group('empty fragments are nothing', async (server) => {
    const client = await open(server);
    client.send(op.text, '', { fin: false });
    client.send(op.continuation, 'middle', { fin: false });
    client.send(op.continuation, '');
    await echoes(client, op.text, 'middle');
  });
  group('pings between fragments are answered before the message', async (server) => {
    const client = await open(server);
    for (let i = 0; i < 5; i++) {
      client.send(i ? op.continuation : op.text, `part${i} `, { fin: false });
      client.send(op.ping, `ping${i}`);
      await echoes(client, op.pong, `ping${i}`);
    }
    client.send(op.continuation, 'end');
    await echoes(client, op.text, 'part0 part1 part2 part3 part4 end');
  });
  group('a thousand fragments of one byte', async (server) => {
    const client = await open(server);
    const frames = Array.from({ length: 1000 }, (_, i) => frame(i ? op.continuation : op.binary, 'x', { fin: i === 999 }));
    client.raw.write(Buffer.concat(frames));
    await echoes(client, op.binary, 'x'.repeat(1000));
  });
  group('a MiB in fragments of 256 bytes', async (server) => {
    const client = await open(server);
    const payload = randomBytes(MiB);
    const frames = [];
    for (let at = 0; at < MiB; at += 256) {
      frames.push(frame(at ? op.continuation : op.binary, payload.subarray(at, at + 256), { fin: at + 256 === MiB }));
    }
    client.raw.write(Buffer.concat(frames));
    await echoes(client, op.binary, payload);
  });
  group('a flood of tiny fragments ends with a close, not with memory', async (server) => {
    const before = server.residentBytes();
    const client = await open(server);
    client.send(op.binary, 'x', { fin: false });
    const flood = Buffer.concat(Array.from({ length: 10_000 }, () => frame(op.continuation, 'x', { fin: false })));
    for (let i = 0; i < 50 && !client.raw.ended; i++) await client.raw.flush(flood);
    assert.equal((await client.closing()).code, 1008);
    assert.ok(server.residentBytes() - before < 64 * MiB, `grew by ${server.residentBytes() - before}`);
  });
  for (const sizes of [[1, 0, 1], [0, 0, 5], [5, 0, 0], [125, 126, 127], [1, 65535, 65536], [0, 0, 0]]) {
    group(`fragments of ${sizes.join(', ')} bytes make one message`, async (server) => {
      const client = await open(server);
      const parts = sizes.map((size) => randomBytes(size));
      parts.forEach((part, i) => client.send(i ? op.continuation : op.binary, part, { fin: i === sizes.length - 1 }));
      await echoes(client, op.binary, Buffer.concat(parts));
    });
  }
  group('fragments with a ping between them, all in single bytes', async (server) => {
    const client = await open(server);
    const bytes = Buffer.concat([frame(op.text, 'fr\u00e4', { fin: false }), frame(op.ping, 'p'), frame(op.continuation, 'g')]);
    for (const byte of bytes) await client.raw.flush(Buffer.from([byte]));
    await echoes(client, op.pong, 'p');
    await echoes(client, op.text, 'fr\u00e4g');
  });
  group('messages in fragments, one after the other in one write', async (server) => {
    const client = await open(server);
    client.raw.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => [
      frame(op.text, `a${i}`, { fin: false }), frame(op.continuation, 'b', { fin: false }), frame(op.continuation, 'c'),
    ]).flat()));
    for (let i = 0; i < 100; i++) await echoes(client, op.text, `a${i}bc`);
  });
  const broken = {
    'a fragmented close': [[op.close, Buffer.from([3, 232]), { fin: false }]],
    'a continuation of nothing': [[op.continuation, 'x', {}]],
    'an unfinished continuation of nothing': [[op.continuation, 'x', { fin: false }]],
    'a text inside a fragmented text': [[op.text, 'a', { fin: false }], [op.text, 'b', {}]],
    'a binary inside a fragmented text': [[op.text, 'a', { fin: false }], [op.binary, 'b', { fin: false }]],
    'a continuation after the end': [[op.text, 'a', { fin: false }], [op.continuation, 'b', {}], [op.continuation, 'c', {}]],
  };
  for (const [what, frames] of Object.entries(broken)) {
    group(`${what}: 1002`, async (server) => {
      const client = await open(server);
      for (const parts of frames) client.send(...parts);
      await client.failsWith(1002);
    });
  }
});

onCores('echo: UTF-8', options, (group) => {
  const valid = ['κόσμε', '\u0000', '\u0080', '\u0800', '\u{10000}', '\u{10ffff}', '\ud7ff', '\ue000', '\ufffd', '\uffff', '\u{1F30A}\u200d'];
  group('valid texts come back, at any border', async (server) => {
    const client = await open(server);
    for (const text of valid) {
      for (const before of [0, 1, 3, 7, 15, 16, 31, 63, 121, 122, 123, 124]) {
        const whole = 'x'.repeat(before) + text + 'y'.repeat(17);
        client.send(op.text, whole);
        await echoes(client, op.text, whole);
      }
    }
  });
  group('a character may be split over fragments and reads', async (server) => {
    const client = await open(server);
    const bytes = Buffer.from('a\u{1F30A}κ');
    for (let cut = 0; cut <= bytes.length; cut++) {
      client.send(op.text, bytes.subarray(0, cut), { fin: false });
      client.send(op.continuation, bytes.subarray(cut));
      await echoes(client, op.text, bytes);
    }
    for (const byte of frame(op.text, bytes)) await client.raw.flush(Buffer.from([byte]));
    await echoes(client, op.text, bytes);
  });
  const invalid = {
    'a lone continuation byte': '80', 'ff': 'ff', 'fe': 'fe', 'an overlong slash': 'c0af', 'an overlong NUL': 'c080',
    'an overlong of three': 'e080af', 'an overlong of four': 'f08080af', 'a surrogate': 'eda080', 'a surrogate pair': 'eda080edb080',
    'above U+10FFFF': 'f4908080', 'five bytes': 'f888808080', 'cut short': 'cebae1bd', 'cut short by text': 'ce41',
  };
  for (const [what, hex] of Object.entries(invalid)) {
    group(`${what}: 1007`, async (server) => {
      for (const before of [0, 15, 64]) {
        const client = await open(server);
        client.send(op.text, Buffer.concat([Buffer.alloc(before, 'x'), Buffer.from(hex, 'hex')]));
        await client.failsWith(1007);
      }
    });
  }
  group('is judged over fragments: the second half is missing at the end: 1007', async (server) => {
    const client = await open(server);
    client.send(op.text, Buffer.from([0xce]), { fin: false });
    client.send(op.continuation, '');
    await client.failsWith(1007);
  });
  group('fails fast: an invalid fragment ends it before the message does: 1007', async (server) => {
    const client = await open(server);
    client.send(op.text, Buffer.from('fine \xff', 'latin1'), { fin: false });
    await client.failsWith(1007);
  });
  for (const [what, bytes] of Object.entries({
    'ff': [0xff], 'an overlong': [0xc0, 0xaf], 'a surrogate': [0xed, 0xa0], 'above U+10FFFF': [0xf4, 0x90], 'a continuation byte too few': [0xce, 0x41],
  })) {
    group(`fails fast: ${what} in the first half of a frame ends it before the other half comes: 1007`, async (server) => {
      const client = await open(server);
      const whole = frame(op.text, Buffer.concat([Buffer.from('fine '), Buffer.from(bytes), Buffer.alloc(1000, 'x')]));
      client.raw.write(whole.subarray(0, 100));
      await client.failsWith(1007);
    });
  }
  group('a character may be split over reads at any byte, also behind the header', async (server) => {
    const client = await open(server);
    const text = 'x\u{10ffff}\u{1F30A}\ud7ff\ue000';
    const bytes = frame(op.text, text);
    for (let cut = 1; cut < bytes.length; cut++) {
      await client.raw.flush(bytes.subarray(0, cut));
      client.raw.write(bytes.subarray(cut));
      await echoes(client, op.text, text);
    }
  });
  group('binary may hold anything', async (server) => {
    const client = await open(server);
    client.send(op.binary, Buffer.from('ff80c0af', 'hex'));
    await echoes(client, op.binary, Buffer.from('ff80c0af', 'hex'));
  });
});

onCores('echo: closing', options, (group) => {
  group('an empty close is answered and the connection ended', async (server) => {
    const client = await open(server);
    client.send(op.close, '');
    assert.equal((await client.closing()).code, 1005, 'as empty as it was');
    client.raw.socket.end();
    await client.raw.closed();
  });
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    group(`R2 close code ${code} is echoed`, async (server) => {
      const client = await open(server);
      client.raw.write(closeFrame(code, 'going'));
      await client.failsWith(code);
    });
  }
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) {
    group(`close code ${code} is invalid: 1002`, async (server) => {
      const client = await open(server);
      client.raw.write(closeFrame(code));
      await client.failsWith(1002);
    });
  }
  group('a close of one byte: 1002', async (server) => {
    const client = await open(server);
    client.send(op.close, 'x');
    await client.failsWith(1002);
  });
  group('a close of 126 bytes: 1002', async (server) => {
    const client = await open(server);
    client.send(op.close, Buffer.concat([Buffer.from([3, 232]), Buffer.alloc(124, 'x')]));
    await client.failsWith(1002);
  });
  group('a close reason of 123 bytes is fine', async (server) => {
    const client = await open(server);
    client.raw.write(closeFrame(1000, 'x'.repeat(123)));
    await client.failsWith(1000);
  });
  group('a close reason that is no UTF-8: 1007', async (server) => {
    const client = await open(server);
    client.send(op.close, Buffer.from([3, 232, 0xff]));
    await client.failsWith(1007);
  });
  group('a close reason in other scripts, up to the last byte', async (server) => {
    for (const reason of ['\u00e4', '\u{1F30A}'.repeat(30), `x${'\u20ac'.repeat(40)}xx`]) {
      const client = await open(server);
      client.raw.write(closeFrame(1000, reason));
      await client.failsWith(1000);
    }
  });
  group('a close reason that is cut inside a character: 1007', async (server) => {
    const client = await open(server);
    client.send(op.close, Buffer.from([3, 232, 0xe2, 0x82]));
    await client.failsWith(1007);
  });
  group('a close in single bytes', async (server) => {
    const client = await open(server);
    for (const byte of closeFrame(4321, 'slowly')) await client.raw.flush(Buffer.from([byte]));
    await client.failsWith(4321);
  });
  group('a close between fragments ends it, and the message is nobody\'s', async (server) => {
    const client = await open(server);
    client.raw.write(Buffer.concat([frame(op.text, 'half', { fin: false }), closeFrame(1001)]));
    await client.failsWith(1001);
    assert.equal(client.raw.pending, 0);
  });
  group('a second close is not answered', async (server) => {
    const client = await open(server);
    client.raw.write(Buffer.concat([closeFrame(1000), closeFrame(1001)]));
    await client.failsWith(1000);
    assert.equal(client.raw.pending, 0);
  });
  group('an end of the connection without a close leaves nothing behind', async (server) => {
    const client = await open(server);
    client.raw.socket.end();
    await client.raw.closed();
  });
  group('what follows a close is not answered', async (server) => {
    const client = await open(server);
    client.raw.write(Buffer.concat([closeFrame(1000), frame(op.text, 'late'), frame(op.ping, 'late')]));
    await client.failsWith(1000);
    assert.equal(client.raw.pending, 0);
  });
  group('a message before the close is answered first', async (server) => {
    const client = await open(server);
    client.raw.write(Buffer.concat([frame(op.text, 'last words'), closeFrame(1000)]));
    await echoes(client, op.text, 'last words');
    await client.failsWith(1000);
  });
  group('R1 a reset in the middle of a message leaves nothing behind', async (server) => {
    for (let i = 0; i < 20; i++) {
      const client = await open(server);
      await client.raw.flush(frame(op.text, Buffer.alloc(100_000, 'x')).subarray(0, 50_000 + i));
      client.raw.reset();
    }
    await server.untilClients(0);
  });
});

// The rules are the connection's, not the endpoint's: the same over Pusher's path, whose messages have a language of their own.
onCores('the Pusher path', {}, (group) => {
  const pusher = async (server) => {
    const client = await FrameClient.open(server, '/app/app-key?protocol=7');
    assert.match((await client.frame()).payload.toString(), /connection_established/);
    return client;
  };
  const ping = '{"event":"pusher:ping","data":{}}';
  const answered = async (client) => assert.equal(JSON.parse((await client.message()).payload).event, 'pusher:pong');
  const passes = {
    'a message in single bytes': () => [...frame(op.text, ping)].map((byte) => Buffer.from([byte])),
    'a message in fragments': () => [frame(op.text, ping.slice(0, 9), { fin: false }), frame(op.continuation, ping.slice(9))],
    'empty fragments': () => [frame(op.text, '', { fin: false }), frame(op.continuation, ping, { fin: false }), frame(op.continuation)],
    'an unasked pong before it': () => [frame(op.pong, 'x'), frame(op.text, ping)],
    'a mask of zeros': () => [frame(op.text, ping, { mask: Buffer.alloc(4) })],
  };
  for (const [what, pieces] of Object.entries(passes)) {
    group(what, async (server) => {
      const client = await pusher(server);
      for (const piece of pieces()) await client.raw.flush(piece);
      await answered(client);
    });
  }
  group('a WebSocket ping is answered with exactly its payload', async (server) => {
    const client = await pusher(server);
    for (const length of [0, 1, 125]) {
      const payload = randomBytes(length);
      client.send(op.ping, payload);
      await echoes(client, op.pong, payload);
    }
  });
  const fails = {
    'an unmasked frame': [frame(op.text, ping, { mask: null }), 1002],
    'a reserved bit': [frame(op.text, ping, { rsv: 4 }), 1002],
    'a reserved opcode': [frame(5, ping), 1002],
    'a reserved control opcode': [frame(11, ''), 1002],
    'a binary message': [frame(op.binary, ping), 1003],
    'text that is no UTF-8': [frame(op.text, Buffer.from([0xff])), 1007],
    'text that is no UTF-8, in a fragment': [frame(op.text, Buffer.from([0xff]), { fin: false }), 1007],
    'text that is no UTF-8, in the first half of a frame': [frame(op.text, Buffer.alloc(1000, 0xff)).subarray(0, 50), 1007],
    'a message one over --max-message': [frame(op.text, '', { declare: BigInt(32 * 1024 + 1) }), 1009],
    'a declared length of 2^62': [frame(op.text, '', { declare: 2n ** 62n }), 1009],
    'a declared length of 2^63': [frame(op.text, '', { declare: 2n ** 63n }), 1002],
    'a ping of 126 bytes': [frame(op.ping, Buffer.alloc(126)), 1002],
    'a fragmented ping': [frame(op.ping, '', { fin: false }), 1002],
    'a continuation of nothing': [frame(op.continuation, ping), 1002],
    'a message inside another': [Buffer.concat([frame(op.text, 'a', { fin: false }), frame(op.text, 'b')]), 1002],
    'a length in a longer form than needed': [frame(op.text, ping, { lengthForm: 64 }), 1002],
    'more fragments than there may be': [Buffer.concat([frame(op.text, 'x', { fin: false }),
      ...Array.from({ length: 1024 }, () => frame(op.continuation, 'x', { fin: false }))]), 1008],
    'a close of one byte': [frame(op.close, 'x'), 1002],
    'an invalid close code': [closeFrame(1005), 1002],
    'a close reason that is no UTF-8': [frame(op.close, Buffer.from([3, 232, 0xff])), 1007],
    'a close with 1000': [closeFrame(1000, 'bye'), 1000],
    'a close with 4999': [closeFrame(4999), 4999],
  };
  for (const [what, [bytes, code]] of Object.entries(fails)) {
    group(`${what}: ${code}`, async (server) => {
      const client = await pusher(server);
      client.raw.write(bytes);
      await client.failsWith(code);
    });
  }
});

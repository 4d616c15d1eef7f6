// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// WebSocket conformance over the echo endpoint, frame by frame: framing, control frames, fragmentation, UTF-8, close
// codes, limits. The cases follow RFC 6455 sections 5 to 8.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
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

  group('a length in a longer form than needed is refused or accepted, never misread', async (server) => {
    for (const lengthForm of [16, 64]) {
      const client = await open(server);
      client.send(op.text, 'five5', { lengthForm });
      const answer = await client.frame();
      if (answer.opcode === op.close) assert.equal(answer.payload.readUInt16BE(0), 1002);
      else assert.equal(answer.payload.toString(), 'five5');
    }
  });

  for (const declare of [2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 4n, 2n ** 62n, 2n ** 32n + 5n]) {
    group(`a declared length of ${declare} is refused`, async (server) => {
      const client = await open(server);
      client.send(op.binary, 'x', { declare, lengthForm: 64 });
      const { code } = await client.closing();
      assert.ok([1002, 1009].includes(code), String(code));
    });
  }

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

  group('an unmasked frame: 1002', async (server) => {
    const client = await open(server);
    client.send(op.text, 'bare', { mask: null });
    await client.failsWith(1002);
  });
});

onCores('echo: reserved bits and opcodes', options, (group) => {
  for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
    group(`reserved bits ${rsv}: 1002`, async (server) => {
      const client = await open(server);
      client.send(op.text, 'x', { rsv });
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
  group('a ping of 126 bytes: 1002', async (server) => {
    const client = await open(server);
    client.send(op.ping, Buffer.alloc(126));
    await client.failsWith(1002);
  });
  group('a fragmented ping: 1002', async (server) => {
    const client = await open(server);
    client.send(op.ping, 'x', { fin: false });
    await client.failsWith(1002);
  });
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
  group('of a burst of pings at least the newest is answered', async (server) => {
    const client = await open(server);
    client.raw.write(Buffer.concat(Array.from({ length: 1000 }, (_, i) => frame(op.ping, `p${i}`))));
    for (;;) {
      const pong = await client.frame();
      assert.equal(pong.opcode, op.pong);
      if (pong.payload.toString() === 'p999') break;
    }
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
    const { code } = await client.closing();
    assert.ok([1002, 1006, 1008, 1009].includes(code), String(code));
    assert.ok(server.residentBytes() - before < 64 * MiB, `grew by ${server.residentBytes() - before}`);
  });
  const broken = {
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
    const end = await client.closing();
    assert.ok([1000, 1005].includes(end.code), String(end.code));
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

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: UTF-8 in text messages (RFC 6455 section 8.1, RFC 3629): what is valid comes back at any border of frames and
// writes, what is not ends the connection with 1007, and as soon as it can be known.

import { binary, conformance, fragments, hears, more, open, ping, pieces, text } from './support/conformance.mjs';
import { frame, op } from './support/frame_client.mjs';

const hex = (digits) => Buffer.from(digits, 'hex');
const range = (first, last) => Buffer.from(Array.from({ length: last - first + 1 }, (_, i) => first + i));

/** Sequences by the numbers of the list; those that begin with ! are invalid, with ? only because more should come. */
const kosme = 'cebae1bdb9cf83cebcceb5';
const cutShort = ['c0', 'e080', 'f08080', 'f8808080', 'fc80808080', 'df', 'efbf', 'f7bfbf', 'fbbfbfbf', 'fdbfbfbfbf'];
const lonely = [[0xc0, 0xdf], [0xe0, 0xef], [0xf0, 0xf7], [0xf8, 0xfb], [0xfc, 0xfd]];
const planes = Array.from({ length: 16 }, (_, i) => Buffer.from(String.fromCodePoint((i + 1) * 0x10000 + 0xfffe)).toString('hex'));
const sequences = {
  '6.5 valid texts': [...['hello$world', 'hello\u00a2world', 'hello\u20acworld', 'hello\u{24b62}world'].map((s) => Buffer.from(s).toString('hex')), kosme],
  '6.6 prefixes of a valid text': Array.from({ length: 11 }, (_, i) => `${[2, 5, 7, 9, 11].includes(i + 1) ? '' : '?'}${kosme.slice(0, 2 * (i + 1))}`),
  '6.7 first of each length': ['00', 'c280', 'e0a080', 'f0908080'],
  '6.8 first of five and six bytes': ['!f888808080', '!fc8480808080'],
  '6.9 last of each length': ['7f', 'dfbf', 'efbfbf', 'f48fbfbf'],
  '6.10 last of longer ones': ['!f7bfbfbf', '!fbbfbfbfbf', '!fdbfbfbfbfbf'],
  '6.11 other boundaries': ['ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf', '!f4908080'],
  '6.12 continuation bytes alone': ['!80', '!bf', '!80bf', '!80bf80', '!80bf80bf', '!80bf80bf80', '!80bf80bf80bf', `!${range(0x80, 0xbf).toString('hex')}`],
  '6.13 starts alone, each before a space': lonely.map(([first, last]) => `!${[...range(first, last)].map((byte) => `${byte.toString(16)}20`).join('')}`),
  '6.14 the last byte is missing': cutShort.map((digits) => `${digits.startsWith('df') || digits.startsWith('ef') ? '?' : '!'}${digits}`),
  '6.15 all of these behind one another': [`!${cutShort.join('')}`],
  '6.16 impossible bytes': ['!fe', '!ff', '!fefeffff'],
  '6.17 overlong slashes': ['!c0af', '!e080af', '!f08080af', '!f8808080af', '!fc80808080af'],
  '6.18 the largest overlong ones': ['!c1bf', '!e09fbf', '!f08fbfbf', '!f887bfbfbf', '!fc83bfbfbfbf'],
  '6.19 overlong NULs': ['!c080', '!e08080', '!f0808080', '!f880808080', '!fc8080808080'],
  '6.20 surrogates': ['!eda080', '!edadbf', '!edae80', '!edafbf', '!edb080', '!edbe80', '!edbfbf'],
  '6.21 pairs of surrogates': ['!eda080edb080', '!eda080edbfbf', '!edadbfedb080', '!edadbfedbfbf', '!edae80edb080', '!edae80edbfbf', '!edafbfedb080', '!edafbfedbfbf'],
  '6.22 non-characters': ['efbfbe', 'efbfbf', ...planes.flatMap((digits) => [digits, `${digits.slice(0, -1)}f`])],
  '6.23 specials': ['efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd', 'efbfbe', 'efbfbf'],
};

/** The same bytes as a message, with borders wherever they may lie. */
function asMessages(bytes) {
  const padded = Buffer.concat([Buffer.alloc(61, 'x'), bytes, Buffer.alloc(17, 'y')]);
  const unfinished = pieces(bytes, 1).map((part, i) => frame(i ? op.continuation : op.text, part, open));
  return {
    'in one frame': [bytes, [text(bytes)]],
    'a fragment for each byte': [bytes, fragments(op.text, bytes, 1)],
    'a fragment for each byte, and an empty one': [bytes, [...unfinished, more()]],
    'in the middle of a frame': [padded, [text(padded)]],
    'in the middle, divided': [padded, fragments(op.text, padded, 63)],
  };
}

/** What is known to be wrong waits neither for the rest of its frame nor for another fragment. */
function early(bytes) {
  const long = text(Buffer.concat([bytes, Buffer.alloc(200)]));
  return {
    'known before the frame ends': { says: [long.subarray(0, long.length - 200)], fails: 1007 },
    'known before the message ends': { says: [text('fine', open), ping('p'), more(bytes, open)], answers: [hears.pong('p')], fails: 1007 },
  };
}

const cases = {};
for (const [what, list] of Object.entries(sequences)) {
  const [section, title] = what.match(/^(\S+) (.*)$/).slice(1);
  list.forEach((entry, i) => {
    const [mark, digits] = entry.match(/^([!?]?)([0-9a-f]+)$/).slice(1);
    const variants = {};
    for (const [border, [payload, says]] of Object.entries(asMessages(hex(digits)))) {
      const way = border === 'in one frame' ? undefined : 'in one write';
      variants[border] = mark ? { says, fails: 1007, way } : { says, answers: [hears.text(payload)], way };
    }
    if (mark === '!') Object.assign(variants, early(hex(digits)));
    cases[`${section}.${i + 1} ${title}: ${digits.replace(/^(.{48}).+$/, '$1...')}`] = { variants };
  });
}
conformance('conformance: sequences of UTF-8', cases);

const greek = Buffer.from(kosme, 'hex');
const accents = 'Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!';
const broken = Buffer.concat([greek, hex('eda080'), Buffer.from('edited')]);
const above = Buffer.concat([greek, hex('f4908080'), Buffer.from('edited')]);
const whole = text(above);
const header = whole.length - above.length;

const atBorders = ['\u0080', '\u0800', '\u{10000}', '\u{10ffff}'].flatMap((each) =>
  [0, 1, 3, 7, 15, 16, 31, 63, 121, 122, 123, 124].map((n) => `${'x'.repeat(n)}${each}${'y'.repeat(17)}`));
const wave = Buffer.from('x\u{10ffff}\u{1f30a}\u03ba\ud7ff\ue000');
const cuts = (bytes) => Array.from({ length: bytes.length + 1 }, (_, i) => [bytes.subarray(0, i), bytes.subarray(i)]);

conformance('conformance: UTF-8 over frames', {
  '6.1.1 an empty text': { says: [text()], answers: [hears.text()] },
  '6.1.2 three empty fragments': { says: [text('', open), more('', open), more()], answers: [hears.text()] },
  '6.1.3 three fragments, the first and the last empty': { says: [text('', open), more('middle', open), more()], answers: [hears.text('middle')] },
  '6.2.1 one frame': { says: [text(accents)], answers: [hears.text(accents)] },
  '6.2.2 two fragments, divided between characters': { says: [text(accents.slice(0, 12), open), more(accents.slice(12))], answers: [hears.text(accents)] },
  '6.2.3 a fragment for each byte': { says: fragments(op.text, Buffer.from(accents), 1), answers: [hears.text(accents)] },
  '6.2.4 a fragment for each byte of five characters': { says: fragments(op.text, greek, 1), answers: [hears.text(greek)] },
  '6.3.1 invalid in one frame': { says: [text(broken)], fails: 1007 },
  '6.3.2 invalid, a fragment for each byte': { says: fragments(op.text, broken, 1), fails: 1007 },
  '6.4.1 the second of three fragments is invalid: the third is not waited for': {
    turns: [{ says: [text(greek, open), ping('p')], answers: [hears.pong('p')] }, { says: [more(hex('f4908080'), open)] }], fails: 1007,
  },
  '6.4.2 the second fragment ends in a character that cannot become valid': {
    turns: [{ says: [text(Buffer.concat([greek, hex('f4')]), open), ping('p')], answers: [hears.pong('p')] }, { says: [more(hex('90'), open)] }], fails: 1007,
  },
  '6.4.3 invalid in the second of three writes of one frame': { says: [whole.subarray(0, header + 11), whole.subarray(header + 11, header + 15)], fails: 1007 },
  '6.4.4 invalid by the last byte of the second write': { says: [whole.subarray(0, header + 12), whole.subarray(header + 12, header + 13)], fails: 1007 },
  'a character that is never finished': { says: [text(hex('ce'), open), more()], fails: 1007 },
  'a character whose rest is in the next message': { says: [text(hex('ce')), text(hex('ba'))], fails: 1007 },
  'binary may hold anything': { says: [binary(hex('ff80c0af'))], answers: [hears.binary(hex('ff80c0af'))] },
  'binary in fragments may hold anything': { says: fragments(op.binary, hex('ff80c0af'), 1), answers: [hears.binary(hex('ff80c0af'))] },
  'a text behind a binary message is judged anew': { says: [binary(hex('ce')), text('a')], answers: [hears.binary(hex('ce')), hears.text('a')] },
  'valid texts at every border of the words that are looked at': {
    says: atBorders.map((each) => text(each)), answers: atBorders.map((each) => hears.text(each)),
  },
  'a character may be divided over two fragments at any byte': {
    says: cuts(wave).flatMap(([first, second]) => [text(first, open), more(second)]), answers: cuts(wave).map(() => hears.text(wave)),
  },
  'a frame may be divided over two writes at any byte': {
    says: cuts(text(wave)).flat(), answers: cuts(text(wave)).map(() => hears.text(wave)), way: 'in a write for each frame',
  },
});

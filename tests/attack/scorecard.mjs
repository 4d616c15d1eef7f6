// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The table of results: kept as JSON between runs, shown as Markdown, written between two marks of tests/README.md.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { binary } from '../system/support/server.mjs';

const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const file = path.join(checkout, 'build/attack.json');
const readme = path.join(checkout, 'tests/README.md');
const marks = ['<!-- scorecard: written by tools/attack --write -->', '<!-- end of scorecard -->'];

const number = ({ id }) => Number(id.slice(1));

export function kept() {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return [];
  }
}

/** Lines replace older ones of the same row. */
export function keep(lines) {
  const others = kept().filter(({ id }) => !lines.some((line) => line.id === id));
  const now = new Date().toISOString().slice(0, 10);
  const all = [...others, ...lines.map(({ story, ...line }) => ({ ...line, date: now }))].sort((a, b) => number(a) - number(b));
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(all, null, 1));
}

const milliseconds = (values) => values.map((value) => (value === null ? '-' : value.toFixed(1))).join(' / ');

export function tableOf(lines) {
  const head = ['| row | attack or fault | load | innocents\' p99, ms: calm / during / after | result | verdict |', '|---|---|---|---|---|---|'];
  const body = lines.map(({ id, attack, load, p99, timed, result, verdict }) =>
    `| ${[id, attack, load, p99 ? milliseconds(p99) : '', result, verdict === 'holds' && p99 && !timed ? 'holds; times not judged' : verdict].join(' | ')} |`);
  return [...head, ...body].join('\n');
}

const cpu = () => `${os.cpus().length} x ${os.cpus()[0].model}`;
const version = () => execFileSync(binary, ['--version'], { encoding: 'utf8' }).split('\n')[0].trim();

/** The scorecard of these rows, into tests/README.md. */
export function write(rows) {
  const results = new Map(kept().map((line) => [line.id, line]));
  const lines = rows.map(({ id, name }) => results.get(id) ?? { id, attack: name, load: '', result: '', verdict: 'not played in full since it was changed' });
  const text = readFileSync(readme, 'utf8');
  const [from, to] = marks.map((mark) => text.indexOf(mark));
  if (from < 0 || to < from) throw new Error(`${readme} has no place for the scorecard`);
  const dates = [...new Set(lines.flatMap(({ date }) => date ?? []))].sort().join(', ');
  const held = lines.filter(({ verdict }) => verdict === 'holds').length;
  const failed = lines.filter(({ verdict }) => verdict.startsWith('fails')).length;
  const said = `${dates}, Linux ${os.release()}, ${cpu()}, ${version()}: ${held} rows hold, ${failed} fail, ` +
    `${lines.length - held - failed} were not played. \`tools/attack --rows ROW\` repeats one.`;
  writeFileSync(readme, `${text.slice(0, from)}${marks[0]}\n\n${said}\n\n${tableOf(lines)}\n\n${text.slice(to)}`);
}

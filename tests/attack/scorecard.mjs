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

/** The build that is played against: "spillway 0.1.0 (COMMIT)". */
export const build = () => execFileSync(binary, ['--version'], { encoding: 'utf8' }).split('\n')[0].trim();

/** Lines replace older ones of the same row. `version`: what they were played against. */
export function keep(lines, version) {
  const others = kept().filter(({ id }) => !lines.some((line) => line.id === id));
  const date = new Date().toISOString().slice(0, 10);
  const all = [...others, ...lines.map(({ story, ...line }) => ({ ...line, date, version }))].sort((a, b) => number(a) - number(b));
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(all, null, 1));
}

const milliseconds = (values) => values.map((value) => (value === null ? '-' : value.toFixed(1))).join(' / ');

/** Played, but not against that build. */
const isOfAnother = (build, { verdict, version }) => /^(holds|fails)/.test(verdict) && version !== build;

/** `most`: the build of lines that do not say theirs. */
export function tableOf(lines, most) {
  const head = ['| row | attack or fault | load | innocents\' p99, ms: calm / during / after | result | verdict |', '|---|---|---|---|---|---|'];
  const body = lines.map(({ id, attack, load, p99, timed, result, verdict, version, date }) => {
    const times = verdict === 'holds' && p99 && !timed ? '; times not judged' : '';
    const other = most && isOfAnother(most, { verdict, version }) ? `; of ${date}, ${version ?? 'an unknown build'}` : '';
    return `| ${[id, attack, load, p99 ? milliseconds(p99) : '', result, verdict + times + other].join(' | ')} |`;
  });
  return [...head, ...body].join('\n');
}

const cpu = () => `${os.cpus().length} x ${os.cpus()[0].model}`;

/** What most lines were played against. */
function mostPlayed(lines) {
  const counts = new Map();
  for (const { version } of lines) if (version) counts.set(version, (counts.get(version) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 'an unknown build';
}

/** The scorecard of these rows, into tests/README.md. */
export function write(rows) {
  const results = new Map(kept().map((line) => [line.id, line]));
  const lines = rows.map(({ id, name }) => results.get(id) ?? { id, attack: name, load: '', result: '', verdict: 'not played in full since it was changed' });
  const text = readFileSync(readme, 'utf8');
  const [from, to] = marks.map((mark) => text.indexOf(mark));
  if (from < 0 || to < from) throw new Error(`${readme} has no place for the scorecard`);
  const most = mostPlayed(lines);
  const dates = [...new Set(lines.flatMap(({ date, version }) => (date && version === most ? date : [])))].sort().join(', ');
  const others = lines.filter((line) => isOfAnother(most, line)).length;
  const held = lines.filter(({ verdict }) => verdict === 'holds').length;
  const failed = lines.filter(({ verdict }) => verdict.startsWith('fails')).length;
  const said = `${dates}, Linux ${os.release()}, ${cpu()}, ${most}: ${held} rows hold, ${failed} fail, ` +
    `${lines.length - held - failed} were not played${others > 0 ? `; ${others} were played against another build, as they say` : ''}. ` +
    '`tools/attack --rows ROW` repeats one.';
  writeFileSync(readme, `${text.slice(0, from)}${marks[0]}\n\n${said}\n\n${tableOf(lines, most)}\n\n${text.slice(to)}`);
}

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// tools/attack: attacks the built binary, row by row, and says what held.
//
//   --rows A1,A5   only these
//   --quick        scaled down, without bars of time; what the system tests run
//   --shared       others use this machine: full size, without bars of time
//   --list         what there is
//   --write        writes the scorecard of tests/README.md from the last result of every row
//
// Results are kept in build/attack.json, so that the rows may be run in several goes. Exit code 0: everything that was
// played holds.

import { parseArgs } from 'node:util';
import { rows } from './rows/index.mjs';
import { build, keep, kept, tableOf, write } from './scorecard.mjs';
import { Crew, Trial } from './trial.mjs';

const { values: flags } = parseArgs({
  options: { rows: { type: 'string' }, quick: { type: 'boolean' }, shared: { type: 'boolean' }, list: { type: 'boolean' }, write: { type: 'boolean' } },
});

if (flags.list) {
  for (const { id, name } of rows) console.log(`${id.padEnd(4)} ${name}`);
  process.exit(0);
}

const wanted = flags.rows?.split(',');
const unknown = wanted?.filter((id) => !rows.some((row) => row.id === id)) ?? [];
if (unknown.length > 0) {
  console.error(`attack: there is no row ${unknown.join(', ')}; --list has them`);
  process.exit(2);
}
const playing = flags.write && !wanted ? [] : rows.filter(({ id }) => !wanted || wanted.includes(id));

const version = playing.length > 0 ? build() : null;
const crew = new Crew({ quick: flags.quick ?? false, timed: !flags.quick && !flags.shared });
const lines = [];
let trial;
process.on('SIGTERM', () => {
  crew.end();
  trial?.server?.kill();
  process.exit(1);
});
for (const row of playing) {
  const start = Date.now();
  trial = new Trial(row, crew);
  const line = await trial.run();
  line.seconds = Math.round((Date.now() - start) / 1000);
  lines.push(line);
  if (!flags.quick) keep([line], version);
  console.log(`${line.id.padEnd(4)} ${line.verdict}${line.p99 ? `  p99 ${line.p99.join(' / ')} ms` : ''}  ${line.result}  [${line.seconds} s]`);
  if (line.story) console.error(line.story);
}
crew.end();
if (flags.write) write(rows);
else if (playing.length > 1) console.log(`\n${tableOf(flags.quick ? lines : kept().filter(({ id }) => playing.some((row) => row.id === id)))}`);
process.exit(lines.every(({ verdict }) => !verdict.startsWith('fails')) ? 0 : 1);

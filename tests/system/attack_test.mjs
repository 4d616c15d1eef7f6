// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Each row of the attack suite (tests/attack), in small: same attacks, same innocents, no bars of time. tools/attack plays
// them in full size.

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { rows } from '../attack/rows/index.mjs';
import { Crew, Trial } from '../attack/trial.mjs';
import { deadline } from './support/deadline.mjs';

describe('attacks in small', { concurrency: 2 }, () => {
  const crews = [];
  const idle = [];
  after(() => crews.forEach((crew) => crew.end()));

  for (const row of rows) {
    it(`${row.id} ${row.name}`, { timeout: deadline(60_000) }, async (test) => {
      const crew = idle.pop() ?? crews[crews.push(new Crew({ quick: true, timed: false })) - 1];
      const { verdict, story } = await new Trial(row, crew).run();
      idle.push(crew);
      if (verdict === 'holds') return;
      if (verdict.startsWith('fails')) assert.fail(`${verdict}\n${story ?? ''}`);
      test.skip(verdict);
    });
  }
});

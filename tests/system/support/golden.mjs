// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Golden files: Markdown that people read as documentation and that is played against the server, block by block. Each `##`
// heading is a scene, each fenced block in it a step; the block's info string says who acts (```request, ```response …) and
// may carry words for him. What is compared is compared byte by byte, but for placeholders like `<number>`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../golden');

const placeholders = { '<number>': '\\d+', '<hex>': '[0-9a-f]+', '<socket_id>': '\\d+\\.\\d+', '<text>': '[^"\\r\\n]*' };

/** [{title, steps: [{actor, words, text, line}]}] of a file in tests/golden. Indented text is prose. */
export function readGolden(name) {
  const scenes = [];
  let step = null;
  readFileSync(path.join(folder, name), 'utf8').split('\n').forEach((line, at) => {
    const fence = line.match(/^```(.*)$/);
    if (step && fence) {
      step.text = step.lines.join('\n');
      step = null;
    } else if (step) {
      step.lines.push(line);
    } else if (fence) {
      assert.ok(scenes.length, `${name}:${at + 1}: a block before the first heading`);
      const [actor, ...words] = fence[1].trim().split(/\s+/);
      step = { actor, words, lines: [], line: at + 1 };
      scenes.at(-1).steps.push(step);
    } else if (line.startsWith('## ')) {
      scenes.push({ title: line.slice(3), steps: [] });
    }
  });
  assert.equal(step, null, `${name}: a block without end`);
  return scenes.filter((scene) => scene.steps.length);
}

/** Fails unless `actual` is `expected`, byte by byte, but for placeholders. */
export function assertGolden(actual, expected, where) {
  const pattern = expected
    .split(/(<[a-z_]+>)/)
    .map((piece) => placeholders[piece] ?? piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('');
  if (!new RegExp(`^${pattern}$`).test(actual)) assert.equal(actual, expected, where);
}

/**
 * One test per scene. `group` is what onCores() gives; `actors` are {name: async (step, scene) => …}, where `scene` is an
 * object of the scene's own with `server` in it, and `step` has `words`, `text` and `where` (file and line).
 */
export function playGolden(name, group, actors) {
  for (const { title, steps } of readGolden(name)) {
    group(title, async (server) => {
      const scene = { server };
      for (const step of steps) {
        step.where = `${name}:${step.line}`;
        assert.ok(actors[step.actor], `${step.where}: nobody is called ${step.actor}`);
        await actors[step.actor](step, scene);
      }
      await actors.end?.(scene);
    });
  }
}

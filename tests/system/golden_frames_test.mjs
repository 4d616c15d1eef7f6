// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Plays tests/golden/frames.md: every WebSocket frame of the protocol, byte for byte. A block's flags give it a server of
// its own.

import { describe, it } from 'node:test';
import { deadline } from './support/deadline.mjs';
import { appsOf, FramePlayer } from './support/frame_player.mjs';
import { readGolden } from './support/golden.mjs';
import { onCores, Server } from './support/server.mjs';

const file = 'frames.md';
const scenes = readGolden(file);
const toml = scenes.flatMap(({ steps }) => steps).find(({ actor }) => actor === 'toml').text;
const apps = appsOf(toml);
const played = scenes.flatMap(({ title, steps }) =>
  steps.filter(({ actor }) => actor === 'pusher').map((step) => ({ ...step, title: `${title} (${file}:${step.line})` })));

onCores('frames', { toml, app: apps[0] }, (group) => {
  for (const { title, words, lines } of played)
    if (words.length === 0) group(title, (server) => new FramePlayer(server, apps).play(lines));
});

describe('frames, with flags', () => {
  for (const { title, words, lines } of played) {
    if (words.length === 0) continue;
    it(title, { timeout: deadline(20_000) }, async () => {
      const server = await Server.start({ toml, app: apps[0], flags: words });
      try {
        await new FramePlayer(server, apps).play(lines);
      } catch (error) {
        error.message += server.story();
        throw error;
      } finally {
        await server.stop();
      }
    });
  }
});

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Plays tests/golden/http-api.md: every request and answer of the HTTP API, byte by byte.

import { signedQuery } from './support/api.mjs';
import { PlainPusher } from './support/clients.mjs';
import { assertGolden, playGolden } from './support/golden.mjs';
import { RawSocket } from './support/raw_socket.mjs';
import { onCores } from './support/server.mjs';

/** A request as it stands in the file, made whole: signed, with Host, and with the length of its body. */
function wholeRequest(server, text, isSigned) {
  const [head, body = ''] = text.split('\n\n');
  const [first, ...headers] = head.split('\n');
  const [method, target] = first.split(' ');
  const [path, given = ''] = target.split('?');
  const params = Object.fromEntries(new URLSearchParams(given));
  const signed = `${path}?${signedQuery(server.app, { method, path, body, params })}`;
  const length = body ? [`Content-Length: ${Buffer.byteLength(body)}`] : [];
  return [`${method} ${isSigned ? signed : target} HTTP/1.1`, 'Host: localhost', ...headers, ...length, '', body].join('\r\n');
}

const actors = {
  /** Pusher clients and the channels they join: `2 in room`, `1 in presence-room as 7`; one line each. */
  async clients(step, scene) {
    for (const line of step.text.split('\n').filter(Boolean)) {
      const [count, , channel, , user] = line.split(' ');
      const channelData = user && JSON.stringify({ user_id: user });
      for (let i = 0; i < Number(count); i++) await (await PlainPusher.open(scene.server)).subscribe(channel, channelData);
    }
  },

  async request(step, scene) {
    scene.socket ??= await RawSocket.connect(scene.server);
    scene.socket.write(wholeRequest(scene.server, step.text, !step.words.includes('unsigned')));
    scene.method = step.text.split(' ')[0];
  },

  async response(step, scene) {
    const lines = [];
    for (let line; (line = await scene.socket.line()); ) lines.push(line);
    const length = lines.map((line) => line.match(/^Content-Length: (\d+)$/)?.[1]).find(Boolean) ?? 0;
    const body = scene.method === 'HEAD' ? '' : (await scene.socket.take(Number(length))).toString();
    assertGolden([...lines, ...(body ? ['', ...body.replace(/\n$/, '').split('\n')] : [])].join('\n'), step.text, step.where);
  },
};

onCores('golden file http-api.md', {}, (group) => playGolden('http-api.md', group, actors));

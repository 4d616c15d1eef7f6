// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Attacks on the request head, the request body and the signed API.

import net from 'node:net';
import { signedTarget } from '../system/support/api.mjs';
import { upgradeHead } from '../system/support/frame_client.mjs';
import { head, RawSocket } from '../system/support/raw_socket.mjs';
import { many } from './light_client.mjs';

/**
 * n connections that send one byte every `pauseMs`: of a request head, of the body behind a right head, or nothing. Returns how
 * long the longest was left alive, from its accept; and how many were left when `ms` were over.
 */
export async function drip(server, { n, pauseMs, what, ms, localAddress = '127.0.6.1' }) {
  const upgrade = upgradeHead(`/app/${server.app.key}?protocol=7`);
  const body = head('POST /apps/x/events HTTP/1.1', 'Host: x', 'Content-Type: application/json', 'Content-Length: 900000');
  const dripping = new Set();
  let [longest, connected] = [0, 0];
  const open = () => {
    const socket = net.connect({ port: server.port, host: server.host, localAddress, noDelay: true });
    const one = { socket, at: 0, answer: new Promise((resolve) => socket.once('connect', resolve).once('close', resolve)) };
    socket.once('connect', () => {
      one.since = performance.now();
      connected++;
      dripping.add(one);
      if (what === 'body') socket.write(body);
    });
    socket.on('error', () => {});
    const over = () => {
      if (dripping.delete(one)) longest = Math.max(longest, performance.now() - one.since);
      socket.destroy();
    };
    socket.on('end', over).on('close', over).on('data', () => {});
    return one;
  };
  await many(n, 200, open);
  const timer = setInterval(() => {
    if (what === 'nothing') return;
    for (const one of dripping) one.socket.write(what === 'body' ? ' ' : upgrade[one.at++ % upgrade.length]);
  }, pauseMs);
  const end = Date.now() + ms;
  while (dripping.size > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  const left = dripping.size;
  for (const one of dripping) one.socket.destroy();
  return { connected, left, longestMs: Math.round(longest) };
}

const long = (n) => 'x'.repeat(n);
const get = (...lines) => head('GET /nothing HTTP/1.1', 'Host: x', ...lines);
const post = (...lines) => head('POST /apps/app-id/events HTTP/1.1', 'Host: x', ...lines);

/** Heads that are too large: name, bytes, statuses that are right. */
const bombs = {
  'a header of 128 KiB': [get(`A: ${long(128 * 1024)}`), [431]],
  'a target of 128 KiB': [`GET /${long(128 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`, [414, 431]],
  '20,000 lines': [get(...Array(20_000).fill('a: b')), [431]],
  'a MiB without a line end': [long(1024 * 1024), [400, 414, 431, 501]],
  'a name of 64 KiB': [get(`${long(64 * 1024)}: a`), [431]],
};

/** A publish that must never be taken, inside requests that two parsers could read differently. */
function smuggling(app) {
  const body = JSON.stringify({ name: 'e', channel: 'smuggled', data: 'x' });
  const path = `/apps/${app.id}/events`;
  const inner = `${head(`POST ${signedTarget(app, { method: 'POST', path, body })} HTTP/1.1`, 'Host: x',
    'Content-Type: application/json', `Content-Length: ${body.length}`)}${body}`;
  return {
    'Content-Length and chunked': [`${post(`Content-Length: ${inner.length}`, 'Transfer-Encoding: chunked')}0\r\n\r\n${inner}`, [400]],
    'chunked and Content-Length': [`${post('Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n${inner}`, [400]],
    'two Content-Lengths': [`${post('Content-Length: 0', `Content-Length: ${inner.length}`)}${inner}`, [400]],
    'a chunked that is not last': [`${post('Transfer-Encoding: chunked, identity')}0\r\n\r\n${inner}`, [400, 501]],
    'a tab before chunked': [`${post('Transfer-Encoding:\u000bchunked')}0\r\n\r\n${inner}`, [400, 501]],
    'a blank before the colon': [`${post('Content-Length : 0')}${inner}`, [400]],
    'a folded Content-Length': [`${post('Content-Length:', ' 0')}${inner}`, [400]],
    'a bare CR': [`${post('A: b\rContent-Length: 0')}${inner}`, [400]],
    'a bare LF': [`POST /apps/app-id/events HTTP/1.1\nHost: x\nContent-Length: 0\n\n${inner}`, [400]],
    'a NUL': [`${post('A: b\0Content-Length: 0')}${inner}`, [400]],
    'a body on an upgrade': [`${upgradeHead(`/app/${app.key}?protocol=7`, { change: { 'Content-Length': String(inner.length) } })}${inner}`, [400]],
    'chunks on an upgrade': [`${upgradeHead(`/app/${app.key}?protocol=7`, { change: { 'Transfer-Encoding': 'chunked' } })}0\r\n\r\n${inner}`, [400]],
    'a chunk extension with a line end': [`${post('Transfer-Encoding: chunked')}1;a\nb\r\nx\r\n0\r\n\r\n${inner}`, [400]],
    'a chunk size of 2^64': [`${post('Transfer-Encoding: chunked')}10000000000000000\r\n${inner}`, [400, 413]],
    'a length with a sign': [`${post('Content-Length: +0')}${inner}`, [400]],
    'an empty header name': [`${post(': x', 'Content-Length: 0')}${inner}`, [400]],
  };
}

const oversized = {
  'a body of 10 MB announced': [post('Content-Length: 10000000') + long(100_000), [413]],
  'a body of 10 MB in chunks': [`${post('Transfer-Encoding: chunked')}989680\r\n${long(100_000)}`, [413]],
  'no body': [post('Content-Length: 0'), [400, 401]],
  'no signature': [`${post('Content-Length: 2')}{}`, [400, 401]],
  'JSON that is none': [`${post('Content-Length: 5')}{{{{{`, [400, 401]],
};

/** `clients` send every shape of `what`, again and again for `ms`: counts of statuses, and what was answered wrongly. */
export async function shapes(server, { what, clients, ms }) {
  const all = Object.entries({ bombs, oversized, smuggling: smuggling(server.app) }[what]);
  const owner = { ...server, own: (one) => one };
  const end = Date.now() + ms;
  const wrong = {};
  let requests = 0;
  const lane = async (i) => {
    for (let k = i; requests < all.length || Date.now() < end; k++) {
      const [name, [bytes, statuses]] = all[k % all.length];
      const raw = await RawSocket.connect(owner, { localAddress: '127.0.6.2' });
      raw.write(Buffer.from(bytes, 'latin1'));
      const answer = await raw.response({ ms: 10_000 }).catch((error) => ({ status: error.message }));
      requests++;
      let story = answer?.status;
      // Of what lay behind a refused head nothing may be answered.
      if (what === 'smuggling' && (await raw.response({ ms: 10_000 }).catch(() => null)) !== null) story = 'a second answer';
      if (!statuses.includes(story)) wrong[`${name}: ${story}`] = (wrong[`${name}: ${story}`] ?? 0) + 1;
      raw.close();
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, i) => lane(i)));
  return { requests, shapes: all.length, wrong };
}

/** `clients` write `depth` requests at once and read all answers; returns how many answers were right. */
export async function pipelines(server, { clients, depth }) {
  const owner = { ...server, own: (one) => one };
  const right = await Promise.all(Array.from({ length: clients }, async () => {
    const raw = await RawSocket.connect(owner, { localAddress: '127.0.6.3' });
    raw.write(get().repeat(depth));
    let n = 0;
    while (n < depth && (await raw.response({ ms: 10_000 }))?.status === 404) n++;
    raw.close();
    return n;
  }));
  return right.reduce((sum, n) => sum + n, 0);
}

/** Signed requests that must be refused, as targets: wrong, old, young, altered, given twice. */
function forgeries(app) {
  const method = 'POST';
  const path = `/apps/${app.id}/events`;
  const body = JSON.stringify({ name: 'e', channel: 'forged', data: 'x' });
  const now = Math.floor(Date.now() / 1000);
  const target = (params) => signedTarget(app, { method, path, body, params });
  const right = target({});
  const signed = (app2) => signedTarget(app2, { method, path, body });
  const change = (from, to) => right.replace(from, to);
  return {
    body,
    'older than 600 s': target({ auth_timestamp: now - 601 }),
    'a day old': target({ auth_timestamp: now - 86_400 }),
    'from the future': target({ auth_timestamp: now + 605 }),
    'negative time': target({ auth_timestamp: -1 }),
    'a time of 20 digits': target({ auth_timestamp: '99999999999999999999' }),
    'an empty time': target({ auth_timestamp: '' }),
    'no time': target({ auth_timestamp: undefined }),
    'a time with a fraction': target({ auth_timestamp: `${now}.5` }),
    'another secret': signed({ ...app, secret: `${app.secret}x` }),
    'an empty secret': signed({ ...app, secret: 'x' }),
    'another key': signed({ ...app, key: 'other' }),
    'no signature': right.replace(/&auth_signature=.*/, ''),
    'an empty signature': right.replace(/auth_signature=.*/, 'auth_signature='),
    'an upper-case signature': right.replace(/auth_signature=(.*)/, (_, hex) => `auth_signature=${hex.toUpperCase()}`),
    'a signature that is short': right.slice(0, -1),
    'a signature that is long': `${right}0`,
    'a signature given twice': `${right}&auth_signature=${'0'.repeat(64)}`,
    'a parameter added': `${right}&extra=1`,
    'a parameter given twice': `${right}&auth_key=${app.key}`,
    'another path': change('/events', '/batch_events'),
    'another version': target({ auth_version: '2.0' }),
    'the MD5 of another body': target({ body_md5: '0'.repeat(32) }),
    'no MD5': target({ body_md5: undefined }),
    'an upper-case MD5': right.replace(/body_md5=(\w+)/, (_, hex) => `body_md5=${hex.toUpperCase()}`),
    'a path that is encoded': change('/events', '%2Fevents'),
    'the signature of GET': `${path}?${signedTarget(app, { method: 'GET', path, body }).split('?')[1]}`,
  };
}

/** Sends every forgery `rounds` times over kept-alive connections; what was not refused is listed. */
export async function forge(server, { connections, ms }) {
  const { body, ...targets } = forgeries(server.app);
  const owner = { ...server, own: (one) => one };
  const taken = {};
  let requests = 0;
  const end = Date.now() + ms;
  const lane = async (lane) => {
    let raw = null;
    for (let k = lane; k < lane + Object.keys(targets).length || Date.now() < end; k++) {
      if (raw === null || raw.ended) raw = await RawSocket.connect(owner, { localAddress: '127.0.6.4' });
      const [name, target] = Object.entries(targets)[k % Object.keys(targets).length];
      raw.write(`${head(`POST ${target} HTTP/1.1`, 'Host: x', 'Content-Type: application/json', `Content-Length: ${body.length}`)}${body}`);
      const answer = await raw.response({ ms: 10_000 });
      requests++;
      if (![400, 401, 403, 404].includes(answer?.status)) taken[`${name}: ${answer?.status}`] = (taken[`${name}: ${answer?.status}`] ?? 0) + 1;
    }
    raw.close();
  };
  await Promise.all(Array.from({ length: connections }, (_, i) => lane(i)));
  return { requests, shapes: Object.keys(targets).length, taken };
}

/** Paths, apps and channels that nobody knows, n different ones. */
export async function unknownNames(server, { n }) {
  const owner = { ...server, own: (one) => one };
  let next = 0;
  await Promise.all(Array.from({ length: 20 }, async () => {
    let raw = null;
    while (next < n) {
      const i = next++;
      if (raw === null || raw.ended) raw = await RawSocket.connect(owner, { localAddress: '127.0.6.5' });
      const name = ['"', '\\', '\n', '{', '}', '\u00e9', '=', ','][i % 8];
      const target = [`/x${i}`, `/apps/${i}/events`, `/apps/app-id/channels/${encodeURIComponent(name)}${i}`][i % 3];
      raw.write(head(`GET ${target} HTTP/1.1`, 'Host: x', `X-${i}: y`));
      await raw.response({ ms: 10_000 });
    }
    raw?.close();
  }));
}

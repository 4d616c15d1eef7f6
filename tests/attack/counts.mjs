// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What the server counted against what those who came did and saw: exact when nothing is under way.

/** Close codes that the server tells apart when it counts; 0 is none. */
const codesApart = new Set([
  0, 1000, 1001, 1002, 1003, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
  4000, 4001, 4003, 4004, 4006, 4007, 4008, 4009, 4100, 4200, 4201, 4202,
]);
const kNoCode = 1005; // as a client calls it (RFC 6455 section 7.4.1)

/** Gauges that are as they were when nothing goes on any more, and those that are 0 then. */
const settled = ['subscriptions', 'channels', 'presence_members', 'cached_events', 'stale_clients'];
const empty = ['queued_messages', 'queued_bytes', 'messages_held', 'mesh_depth', 'uring_zc_held'];

/** By the label under which the server counts them. */
function labelled(codes) {
  const counts = {};
  for (const [seen, n] of Object.entries(codes)) {
    const code = Number(seen) === kNoCode ? 0 : Number(seen);
    const label = codesApart.has(code) ? code : 'other';
    counts[label] = (counts[label] ?? 0) + n;
  }
  return counts;
}

/** What does not agree, in words. `before`: the metrics when all was calm; `ledger`: everybody's since the server began. */
export function miscounted({ metrics, before, ledger }) {
  const value = (name, labels) => metrics.sum(`spillway_${name}`, labels);
  const wrong = [];
  const check = (holds, text) => holds || wrong.push(text);

  // Whoever is refused for want of a descriptor is no connection yet. A client may have given up before it saw that it was in.
  const { begun, made, statuses, codes } = ledger;
  const came = value('connections_total') + value('refused_total', { reason: 'descriptors' });
  check(made <= came && came <= begun, `${came} connections counted, ${made} were made, ${begun} begun`);
  const taken = value('connections_total');
  const ended = value('client_closes_total');
  const open = value('clients') + value('http_connections');
  check(taken === ended + open, `${taken} connections counted, but ${ended} ends and ${open} open`);

  for (const [code, n] of Object.entries(labelled(codes))) {
    const counted = value('client_closes_total', { code });
    check(n <= counted, `${n} saw the close code ${code}, ${counted} counted`);
  }
  for (const [status, n] of Object.entries(statuses)) {
    const counted = status === '503' ? value('refused_total') : value('http_requests_total', status === '101' ? { endpoint: 'upgrade', status } : { status });
    check(n <= counted, `${n} saw the answer ${status}, ${counted} counted`);
  }

  const gauge = (name, due, labels) => check(value(name, labels) === due, `${value(name, labels)} ${name}, ${due} due`);
  for (const name of settled) gauge(name, before.sum(`spillway_${name}`));
  for (const name of empty) gauge(name, 0);
  gauge('http_connections', 0, { port: 'main' });
  return wrong;
}

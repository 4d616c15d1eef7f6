// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows about what is said: subscriptions, presence, client events, JSON, names, signatures.

import { FeedReader } from '../../system/support/clients.mjs';
import { until } from '../../system/support/deadline.mjs';
import { list, mib, MiB, sleep } from '../trial.mjs';

export const testApp = { id: 'app-id', key: 'app-key', secret: 'app-secret' };
export const table = (more = '', app = testApp) =>
  `[[app]]\nid = "${app.id}"\nkey = "${app.key}"\nsecret = "${app.secret}"\nclient_events = true\n${more}\n`;

export const protocol = [
  {
    id: 'A8',
    name: 'subscription flood',
    load: (t) => `${t.n(20, 4)} clients x ${t.n(10_000, 600)} channels, again and again; 1,000 are allowed to each`,
    server: (t) => ({ app: testApp, toml: table(`max_channels_per_client = ${t.n(1000, 100)}`) }),
    async attack(t) {
      const [clients, limit] = [t.n(20, 4), t.n(1000, 100)];
      const { asked, succeeded, errors } = await t.tell('subscribeFlood', { clients, channels: t.n(10_000, 600), ms: t.n(8000, 800) });
      const grown = t.peak - t.calmBytes;
      t.bar(errors > 0 && succeeded >= clients * limit, `${succeeded} succeeded, ${errors} errors`);
      t.bar(grown <= 16 * MiB + clients * limit * 1024, `grew by ${mib(grown)}`);
      return `${asked} asked for, ${succeeded} in, ${errors} refused with an error each; ${mib(grown)} more at the worst`;
    },
  },
  {
    id: 'A9',
    name: 'presence churn',
    load: (t) => `${t.n(100, 10)} members, each joining or leaving 10 times a second`,
    server: () => ({ app: testApp, toml: table('max_presence_members = 200') }),
    async attack(t) {
      const end = await t.tell('presenceChurn', { members: t.n(100, 10), perSecond: 10, ms: t.n(8000, 800) });
      t.bar(end.right, 'a watcher has another list than the model');
      t.bar(end.contradicted === 0, `${end.contradicted} notices contradicted what was there`);
      t.bar(end.refused === 0, `${end.refused} were refused`);
      t.bar(t.quick || end.cut === 0, `${end.cut} members read too slowly`);
      const api = t.api();
      const { text } = await api.request({ method: 'GET', path: `/apps/${testApp.id}/channels/presence-room/users` });
      const users = JSON.parse(text).users.map(({ id }) => id).sort();
      t.bar(JSON.stringify(users) === JSON.stringify(end.members), 'the API has another list than the model');
      api.close();
      await t.order('roomLeave');
      return `${end.changes} changes, ${end.notices} notices to two watchers; their lists and the API's equal the model`;
    },
  },
  {
    id: 'A10',
    name: 'client-event flood',
    load: (t) => `${t.n(20, 4)} clients x ${t.n(1000, 300)}/s`,
    async attack(t) {
      const clients = t.n(20, 4);
      const { sent, relayed, errors, sending, seconds } = await t.tell('clientEvents', { clients, rate: t.n(1000, 300), ms: t.n(8000, 1000) });
      t.bar(relayed >= clients * 10 && relayed <= clients * 10 * (seconds + 2), `${relayed} relayed in ${seconds.toFixed(1)} s`);
      t.timeBar(relayed >= clients * 10 * Math.floor(sending - 0.5), `${relayed} relayed of what was sent in ${sending.toFixed(1)} s`);
      t.bar((await t.grew('refused_total', { reason: 'client_event_rate' })) === sent - relayed, 'not each refusal was counted');
      t.bar(Object.keys(errors).every((code) => code === '4301') && errors[4301] > 0, `errors: ${list(errors)}`);
      return `${sent} sent, ${relayed} relayed (${(relayed / clients / seconds).toFixed(1)}/s each), ${errors[4301]} errors 4301`;
    },
  },
  {
    id: 'A11',
    name: 'JSON bombs, JSON and UTF-8 garbage',
    load: (t) => `the corpus, then ${t.n(100_000, 1000)} mutations of it (seed 11)`,
    async attack(t) {
      const end = await t.tell('garbage', { clients: t.n(20, 4), messages: t.n(100_000, 1000), seed: 11, ms: t.n(15_000, 5000) });
      t.bar(end.hung === 0, `${end.hung} were not answered`);
      t.bar(end.mutated >= t.n(100_000, 1000), `only ${end.mutated} in the time`);
      t.bar(end.error + end.close > end.corpus / 2, `of the corpus ${end.error} errors, ${end.close} closes`);
      return `corpus of ${end.corpus}: ${end.error} an error, ${end.close} a close, ${end.neither} taken or nobody's; ` +
        `${end.mutated} mutations: ${end.errors} errors, ${end.closes} closes, each connection answered or closed`;
    },
  },
  {
    id: 'A16',
    name: 'names, for the figures',
    load: (t) => `${t.n(50_000, 1000)} channels with as many users, ${t.n(5000, 200)} unknown paths, apps, fields`,
    server: () => ({ app: testApp, toml: table() }),
    async attack(t) {
      const n = t.n(50_000, 1000);
      const size = async () => (await t.server.page('/metrics')).text.length;
      const before = await size();
      const joined = await t.tell('names', { n, clients: t.n(50, 10) });
      t.bar(joined === n, `${joined} joined`);
      await t.tell('unknownNames', { n: t.n(5000, 200) });
      const during = await size();
      const grown = t.server.residentBytes() - t.calmBytes;
      await t.order('roomLeave');
      await t.server.untilMetric('spillway_presence_members', {}, 0, 10_000);
      const after = await size();
      for (const [when, bytes] of [['during', during], ['after', after]]) {
        t.bar(Math.abs(bytes - before) <= before * 0.05, `/metrics is ${bytes} bytes ${when}, ${before} before`);
      }
      return `/metrics: ${before} bytes before, ${during} during, ${after} after; ${mib(grown)} resident for all of them`;
    },
  },
  {
    id: 'A32',
    name: 'authorisations: wrong, stolen, replayed; API signatures: wrong, old, altered',
    load: (t) => `40 wrong authorisations by ${t.n(20, 4)} clients, 26 forged requests over ${t.n(20, 4)} connections, again and again`,
    server: () => ({ app: testApp, toml: table() }),
    async attack(t) {
      const witness = await FeedReader.open(t.server, 'forged');
      const [ms, clients] = [t.n(4000, 400), t.n(20, 4)];
      const auths = await t.tell('wrongAuth', { clients, ms });
      t.bar(auths.admitted === 0, `${auths.admitted} were admitted`);
      t.bar(auths.errors >= auths.asked, `${auths.errors} errors for ${auths.asked}`);
      t.bar((await t.grew('presence_members')) === 0, 'a member stayed');
      const requests = await t.tell('forge', { connections: clients, ms });
      t.bar(Object.keys(requests.taken).length === 0, `taken: ${list(requests.taken)}`);
      t.bar(witness.inbox.items.length === 0, 'a forged event arrived');
      witness.close();
      return `${auths.asked} subscriptions, none admitted; ${requests.requests} requests, none taken`;
    },
  },
  {
    id: 'A33',
    name: 'log and metric injection',
    load: (t) => `${t.n(3000, 100)} connections with forged lines in target, headers, names, data and close reason, half of them let in; JSON log, level debug`,
    server: () => ({ flags: ['--log-format', 'json', '--log-level', 'debug'] }),
    async attack(t) {
      const n = t.n(3000, 100);
      let said = '';
      t.server.child.stderr.on('data', (text) => (said += text));
      const { statuses, escaped } = await t.tell('inject', { n });
      const taken = statuses[101];
      t.bar(taken === n / 2, `answers: ${list(statuses)}`);
      await until('all are gone', async () => (await t.server.clients()) === t.innocentClients, 5000);
      const count = (words) => said.split(words).length - 1;
      await until('the log has each end', () => count(') closed: ') >= taken, 10_000).catch(() => {}); // it has a thread of its own
      const lines = said.slice(0, said.lastIndexOf('\n')).split('\n');
      let intact = 0;
      for (const line of lines) {
        const entry = JSON.parse(line);
        t.bar(Object.keys(entry).join() === 'time,level,message' && entry.level === 'debug' && /^[ -~]*$/.test(entry.message), `forged: ${line}`);
        if (entry.message.includes(escaped)) intact++;
      }
      // Each that was let in: it asks, it is in, it is closed. What it said of itself is there, escaped.
      for (const words of [' asks for ', ') opened', ') closed: ']) t.bar(count(words) === taken, `${count(words)} lines with "${words}" for ${taken} clients`);
      t.bar(intact === taken, `${intact} of ${taken} forged texts are in the log, escaped`);
      await t.server.metrics(); // reads strictly
      const lost = await t.server.metric('spillway_log_lines_lost_total');
      t.bar(lost === 0, `${lost} lines of the log are lost`);
      return `${list(statuses)}; ${lines.length} lines, one JSON object each, three for each client that was let in, ${intact} with the forged text, escaped; ` +
        `${lost} lost; /metrics is well-formed`;
    },
  },
];

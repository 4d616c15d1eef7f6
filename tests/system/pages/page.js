// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What both pages of the tests share: whom they act for, and what they show and remember.

const query = new URLSearchParams(location.search);
const element = (id) => document.getElementById(id);
const item = (text) => Object.assign(document.createElement('li'), { textContent: text });

const page = {
  user: query.get('user'),
  port: Number(query.get('port')),
  subscribed: [],
  events: [],
  present: [],
  state: (text) => (element('state').textContent = text),
  event(what, data) {
    const line = `${what}: ${typeof data === 'string' ? data : JSON.stringify(data)}`;
    page.events.push(line);
    element('events').append(item(line));
  },
  members(all) {
    page.present = [...all].sort();
    element('members').replaceChildren(...page.present.map(item));
  },
};

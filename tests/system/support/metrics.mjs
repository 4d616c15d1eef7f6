// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The Prometheus text format (0.0.4), read strictly: a line that does not parse is a failure, as are a sample without
// its TYPE and a sample given twice.

const kSample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const kLabel = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/y;

export class Metrics {
  types = new Map();
  samples = [];

  constructor(text) {
    this.text = text;
    if (!text.endsWith('\n')) throw new Error('/metrics must end with a line feed');
    const seen = new Set();
    for (const line of text.slice(0, -1).split('\n')) {
      if (line.startsWith('#')) this.#comment(line);
      else if (line !== '') this.#sample(line, seen);
    }
  }

  #comment(line) {
    const [, keyword, name, rest] = line.match(/^# (HELP|TYPE) (\S+) (.*)$/) ?? [];
    if (!keyword) throw new Error(`comment line: ${line}`);
    if (keyword !== 'TYPE') return;
    if (!/^(counter|gauge|histogram|summary|untyped)$/.test(rest)) throw new Error(`type: ${line}`);
    if (this.types.has(name)) throw new Error(`TYPE given twice: ${name}`);
    this.types.set(name, rest);
  }

  #sample(line, seen) {
    const [, name, labelText = '', number] = line.match(kSample) ?? [];
    if (!name) throw new Error(`sample line: ${line}`);
    const family = this.types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
    if (!this.types.has(family)) throw new Error(`no TYPE for ${name}`);
    const value = number === '+Inf' ? Infinity : Number(number);
    if (Number.isNaN(value)) throw new Error(`value: ${line}`);
    const identity = `${name}{${labelText}}`;
    if (seen.has(identity)) throw new Error(`sample given twice: ${identity}`);
    seen.add(identity);
    this.samples.push({ name, labels: this.#labels(labelText, line), value });
  }

  #labels(text, line) {
    const labels = {};
    for (kLabel.lastIndex = 0; kLabel.lastIndex < text.length; ) {
      const match = kLabel.exec(text);
      if (!match) throw new Error(`labels: ${line}`);
      labels[match[1]] = match[2];
    }
    return labels;
  }

  all(name, labels = {}) {
    const wanted = Object.entries(labels);
    return this.samples.filter((s) => s.name === name && wanted.every(([k, v]) => s.labels[k] === String(v)));
  }

  sum(name, labels = {}) {
    return this.all(name, labels).reduce((total, s) => total + s.value, 0);
  }
}

// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
'use strict';
// One page, no libraries: /live tells a second at a time, this draws it.

const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get('token');
if (token) history.replaceState(null, '', '/');  // so that the token stays in no address bar
const withToken = (path) => (token ? `${path}?token=${encodeURIComponent(token)}` : path);
const make = (tag, text, props = {}) => Object.assign(document.createElement(tag), { textContent: text ?? '' }, props);

// ---- numbers for people

const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const count = (n) => (Math.abs(n) < 10_000 ? whole.format(n) : short.format(n));
const rate = (n) => (n > 0 && n < 10 ? n.toFixed(1) : count(n));
const bytes = (n) => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  while (Math.abs(n) >= 1024 && i < 4) { n /= 1024; i += 1; }
  return `${i === 0 ? whole.format(n) : n.toPrecision(3)} ${units[i]}`;
};
const time = (s) => (s === 0 ? '–' : s < 1e-3 ? `${(s * 1e6).toFixed(0)} µs` : s < 1 ? `${(s * 1e3).toPrecision(3)} ms` : `${s.toPrecision(3)} s`);
const span = (s) => (s <= 120 ? `${s} s` : s < 7200 ? `${Math.floor(s / 60)} min` : s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} days`);
const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });

// ---- the theme

const themes = matchMedia('(prefers-color-scheme: dark)');
const setTheme = (dark) => { document.documentElement.dataset.theme = dark ? 'dark' : 'light'; draw(); };
$('theme').onclick = () => setTheme(document.documentElement.dataset.theme !== 'dark');
themes.onchange = () => setTheme(themes.matches);

// ---- charts

const fields = ['at', 'clients', 'published', 'delivered', 'dropped', 'sent', 'received', 'p50', 'p95', 'p99', 'busiest'];
const points = [];
const pointsMax = 600;
const toPoint = (row) => Object.fromEntries(fields.map((name, i) => [name, row[i]]));
const charts = [
  ['delivered', 'Deliveries per second', rate, [['delivered', 'delivered', '--blue']]],
  ['latency', 'Broadcast latency', time, [['p50', 'p50', '--aqua'], ['p95', 'p95', '--blue'], ['p99', 'p99', '--violet']]],
  ['published', 'Publications per second', rate, [['published', 'published', '--blue']]],
  ['dropped', 'Drops per second', rate, [['dropped', 'dropped', '--red']]],
  ['clients', 'Clients', count, [['clients', 'connected', '--blue']]],
  ['traffic', 'Bytes per second', bytes, [['sent', 'sent', '--blue'], ['received', 'received', '--aqua']]],
].map(([id, title, text, lines]) => {
  const figure = $(id);
  const caption = make('figcaption', title);
  if (lines.length > 1) for (const [, name, color] of lines) { const i = make('i', name); i.style.setProperty('--c', `var(${color})`); caption.append(i); }
  const canvas = document.createElement('canvas');
  canvas.setAttribute('role', 'img');
  const tip = make('div', '', { className: 'tip', hidden: true });
  figure.append(caption, canvas, tip);
  const chart = { title, text, lines, canvas, tip, hover: null };
  canvas.onpointermove = (event) => { chart.hover = event.offsetX; drawChart(chart); };
  canvas.onpointerleave = () => { chart.hover = null; tip.hidden = true; drawChart(chart); };
  return chart;
});

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The next of 1, 2, 5 times a power of ten, for bytes in units of 1,024. */
const ceiling = (value, base) => {
  if (value <= 0) return 1;
  const unit = base === 10 ? 1 : base ** Math.floor(Math.log(value) / Math.log(base));
  const power = unit * 10 ** Math.floor(Math.log10(value / unit));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= value * 0.999);
};

function drawChart(chart) {
  const { canvas, lines, text } = chart;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (width === 0) return;
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale)) { canvas.width = Math.round(width * scale); canvas.height = Math.round(height * scale); }
  const pen = canvas.getContext('2d');
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const top = ceiling(Math.max(0, ...points.flatMap((p) => lines.map(([field]) => p[field]))), text === bytes ? 1024 : 10);
  const shown = Math.min(pointsMax, Math.max(120, points.length));
  const step = (width - 4) / (shown - 1);
  const floor = height - 18;
  const x = (i) => width - 2 - (points.length - 1 - i) * step;
  const y = (value) => floor - (value / top) * (floor - 14);
  pen.font = '11px system-ui, sans-serif';
  pen.fillStyle = css('--ink-3');
  pen.strokeStyle = css('--grid');
  pen.lineWidth = 1;
  for (const part of [0, 0.5, 1]) {
    const line = Math.round(y(top * part)) + 0.5;
    pen.beginPath(); pen.moveTo(0, line); pen.lineTo(width, line); pen.stroke();
  }
  pen.fillText(`${span(shown)} ago`, 2, height - 4);
  pen.textAlign = 'right'; pen.fillText('now', width - 2, height - 4); pen.textAlign = 'left';
  for (const [field, , color] of lines) {
    pen.strokeStyle = css(color);
    pen.lineWidth = 1.75;
    pen.lineJoin = 'round';
    pen.beginPath();
    points.forEach((p, i) => (i === 0 ? pen.moveTo(x(i), y(p[field])) : pen.lineTo(x(i), y(p[field]))));
    pen.stroke();
  }
  pen.strokeStyle = css('--surface');  // a rim, so that they can be read where a line crosses them
  pen.lineWidth = 4;
  for (const part of [0.5, 1]) {
    const line = Math.round(y(top * part)) - 2.5;
    pen.strokeText(text(top * part), 2, line);
    pen.fillText(text(top * part), 2, line);
  }
  const last = points.at(-1);
  canvas.setAttribute('aria-label', last ? `${chart.title}: now ${lines.map(([field, name]) => `${name} ${text(last[field])}`).join(', ')}` : chart.title);
  if (chart.hover === null || points.length === 0) return;
  const i = Math.min(points.length - 1, Math.max(0, Math.round(points.length - 1 - (width - 2 - chart.hover) / step)));
  pen.strokeStyle = css('--ink-3'); pen.lineWidth = 1;
  pen.beginPath(); pen.moveTo(x(i), 10); pen.lineTo(x(i), floor); pen.stroke();
  chart.tip.textContent = `${clock(points[i].at)}  ${lines.map(([field, name]) => `${name} ${text(points[i][field])}`).join('  ')}`;
  chart.tip.hidden = false;
  const left = Math.min(Math.max(0, x(i) - chart.tip.offsetWidth / 2), width - chart.tip.offsetWidth);
  chart.tip.style.left = `${canvas.offsetLeft + left}px`;
  chart.tip.style.top = `${canvas.offsetTop - 4}px`;
}
function draw() { for (const chart of charts) drawChart(chart); }
addEventListener('resize', draw);

// ---- tiles and tables

function table(id, heads, rows, none = 'none') {
  const row = (cells, tag) => {
    const tr = document.createElement('tr');
    cells.forEach((cell, i) => {
      const td = cell instanceof Node ? make(tag) : make(tag, cell);
      if (cell instanceof Node) td.append(cell);
      if (heads[i].startsWith('#')) td.className = 'n';
      tr.append(td);
    });
    return tr;
  };
  const body = rows.map((cells) => row(cells, 'td'));
  if (rows.length === 0) { const tr = make('tr'); tr.append(make('td', none, { className: 'none', colSpan: heads.length })); body.push(tr); }
  const head = row(heads.map((h) => h.replace('#', '')), 'th');
  $(id).replaceChildren(head, ...body);
}

function tiles(entries) {
  $('tiles').replaceChildren(...entries.map(([name, value]) => {
    const tile = make('div', '', { className: 'tile' });
    tile.append(make('b', value), make('span', name));
    return tile;
  }));
}

function meter(share) {
  const box = make('span');
  box.append(Object.assign(make('meter'), { min: 0, max: 1, high: 0.9, value: share, title: 'share of the time worked' }), ` ${Math.round(share * 100)} %`);
  return box;
}

/** Share of the last second in which a core could have run while its CPU ran something else. */
let waited = [];
let waitedAt = 0;
function lost(stats, core, now) {
  const before = waited[core];
  const seconds = now ? (now.at - waitedAt) / 1000 : 0;
  const share = (stats.per_core[core].cpu_wait_seconds - before) / seconds;
  if (core === stats.per_core.length - 1) {
    waited = stats.per_core.map((c) => c.cpu_wait_seconds);
    waitedAt = now?.at ?? 0;
  }
  return before === undefined || !(seconds > 0) ? '–' : `${Math.round(Math.min(Math.max(share, 0), 1) * 100)} %`;
}

function showHealth(health) {
  const status = health?.status ?? 'healthy';
  $('health').dataset.status = status;
  $('health').textContent = status;
  const reasons = health?.reasons ?? [];
  $('reasons').hidden = reasons.length === 0;
  $('reasons').textContent = reasons.join(' · ');
}

function show(tick) {
  const { stats, cores, backlogs, channels } = tick;
  const now = points.at(-1);
  showHealth(stats.health);
  $('facts').textContent = `version ${stats.version} · up ${span(stats.uptime_seconds)} · ${stats.cores} ${stats.cores === 1 ? 'core' : 'cores'}`;
  const clients = Object.values(stats.clients).reduce((a, b) => a + b, 0) - (stats.clients.dashboard ?? 0);
  tiles([
    ['clients', count(clients)],
    ['channels', count(stats.channels)],
    ['deliveries / s', now ? rate(now.delivered) : '–'],
    ['publications / s', now ? rate(now.published) : '–'],
    ['p99 of broadcasts', now ? time(now.p99) : '–'],
    ['drops / s', now ? rate(now.dropped) : '–'],
    ['waiting for clients', bytes(stats.queued_bytes)],
    [stats.memory_limit > 0 ? `resident of ${bytes(stats.memory_limit)}` : 'resident memory', bytes(stats.memory_bytes.resident)],
  ]);
  table('cores', ['core', 'load', '#clients', '#deliveries/s', '#turn p99', '#waiting', '#lost to others'],
    cores.map((c, i) => [String(i), meter(c.busy), count(c.clients), rate(c.delivered), time(c.turn_p99), bytes(c.queued_bytes), lost(stats, i, now)]));
  const apps = (cells) => (hello?.apps.length > 1 ? cells : []);  // one app needs no column
  table('backlogs', ['client', 'kind', ...apps(['app']), '#messages', '#bytes', '#stalled'],
    backlogs.map((b) => [make('code', b.client), b.kind, ...apps([b.app]), count(b.messages), bytes(b.bytes), b.stalled_ms > 0 ? time(b.stalled_ms / 1e3) : '–']),
    'nobody is behind');
  table('channels', ['channel', ...apps(['app']), '#subscribers', '#messages'],
    channels.map((c) => [c.name, ...apps([c.app]), count(c.subscribers), count(c.messages)]), 'no channel is occupied');
  const drops = Object.entries(stats.dropped).map(([reason, by]) => [reason, Object.values(by).reduce((a, b) => a + b, 0)]).filter(([, n]) => n > 0);
  table('drops', ['reason', '#deliveries'], drops.sort((a, b) => b[1] - a[1]).map(([reason, n]) => [reason.replaceAll('_', ' '), count(n)]), 'nothing was dropped');
  const kinds = Object.entries(stats.memory_bytes).filter(([, n]) => n > 0).map(([kind, n]) => [kind.replaceAll('_', ' '), bytes(n)]);
  if (stats.memory_stage > 0) kinds.push(['withheld (memory stage)', `${stats.memory_stage} of 3`]);
  table('memory', ['kind', '#bytes'], kinds);
  table('latencies', ['of all', '#time'], ['min', 'mean', 'p50', 'p95', 'p99', 'max'].map((name) => [name, time(stats.broadcast_seconds[name])]));
  draw();
}

// ---- /live

let wait = 500;
function connect() {
  const live = new WebSocket(withToken(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/live`));
  live.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    wait = 500;
    if (message.type === 'hello') {
      points.splice(0, points.length, ...message.points.map(toPoint));
      prepareConsole(message);
      draw();
      return;
    }
    if (message.point) points.push(toPoint(message.point));
    if (points.length > pointsMax) points.shift();
    show(message);
  };
  live.onclose = () => {
    $('health').dataset.status = 'critical';
    $('health').textContent = 'not connected';
    setTimeout(connect, wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 2, 15_000);
  };
}

// ---- tabs

for (const name of ['overview', 'console']) {
  $(`tab-${name}`).onclick = () => {
    for (const other of ['overview', 'console']) {
      $(other).hidden = other !== name;
      $(`tab-${other}`).setAttribute('aria-selected', String(other === name));
    }
    draw();
  };
}

// ---- the console

let hello = null;
let socket = null;
let socketId = '';

function prepareConsole(message) {
  const first = hello === null;
  hello = message;
  if (!first) return;
  $('app').replaceChildren(...message.apps.map((app) => make('option', app.id, { value: app.id })));
  $('server').value = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.hostname}:${message.port}${message.path_prefix}`;
  $('secret-row').hidden = message.development;
}

function log(event, text, fault = false) {
  const li = make('li', '', { className: fault ? 'fault' : '' });
  li.append(make('time', clock(Date.now())), make('b', event), make('span', text));
  $('log').prepend(li);
  while ($('log').children.length > 500) $('log').lastChild.remove();
}

async function ask(path, body) {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify({ app_id: $('app').value, secret: $('secret').value, ...body }),
  });
  const text = (await answer.text()).trim();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  return JSON.parse(text);
}

const say = (event, data) => socket.send(JSON.stringify({ event, data }));

async function subscribe(channel) {
  const wanted = { channel };
  if (channel.startsWith('presence-')) wanted.channel_data = $('member').value;
  try {
    if (/^(private|presence)-/.test(channel)) {
      wanted.auth = (await ask('/console/authorise', { socket_id: socketId, ...wanted })).auth;
    }
    say('pusher:subscribe', wanted);
  } catch (error) {
    log('console', error.message, true);
  }
}

$('channel').oninput = () => { $('member-row').hidden = !$('channel').value.startsWith('presence-'); };

$('listen').onsubmit = (event) => {
  event.preventDefault();
  const key = hello.apps.find((app) => app.id === $('app').value).key;
  const channel = $('channel').value;
  socket?.close();
  const mine = socket = new WebSocket(`${$('server').value}/app/${encodeURIComponent(key)}?protocol=7&client=dashboard&version=1.0`);
  mine.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.event === 'pusher:connection_established') {
      socketId = JSON.parse(message.data).socket_id;
      log(message.event, socketId);
      subscribe(channel);
      return;
    }
    const text = typeof message.data === 'string' ? message.data : JSON.stringify(message.data ?? null);
    log(message.event, text, message.event === 'pusher:error');
  };
  mine.onclose = ({ code, reason }) => { if (mine === socket) log('closed', `${code} ${reason}`, code >= 4000); };
  mine.onerror = () => { if (mine === socket) log('console', `cannot connect to ${$('server').value}`, true); };
};

$('publish').onsubmit = async (event) => {
  event.preventDefault();
  try {
    await ask('/console/publish', { event: { name: $('event').value, channel: $('channel').value, data: $('data').value } });
    $('published-answer').textContent = `published at ${clock(Date.now())}`;
  } catch (error) {
    $('published-answer').textContent = error.message;
  }
};

$('clear').onclick = () => $('log').replaceChildren();

setTheme(themes.matches);
connect();

'use strict';
// Shows beside the picture what a step depends on, what it waits for and what waits for it; finds steps; zooms.
const svg = document.querySelector('figure svg'), figure = svg.closest('figure'), panel = document.getElementById('panel');
const hint = panel.firstElementChild, find = document.getElementById('find'), found = document.getElementById('found');
document.body.classList.add('scripted');

// A step that is brought in from outside is drawn wherever it is used.
const drawn = new Map(), rows = new Map(), inputs = new Map(), users = new Map();
for (const row of document.querySelectorAll('.steps tbody tr')) {
  const id = row.id.slice(5);
  rows.set(id, row);
  inputs.set(id, []);
  users.set(id, []);
}
for (const step of svg.querySelectorAll('.step')) {
  const id = step.dataset.step, title = step.querySelector('title');
  step.setAttribute('aria-label', title.textContent);
  title.remove();
  drawn.set(id, [...drawn.get(id) || [], step]);
}
for (const [id, row] of rows) {
  const [waits] = row.querySelectorAll('.facts p');
  if (!waits || !waits.textContent.startsWith('waits for')) continue;
  for (const link of waits.querySelectorAll('a')) {
    const input = link.getAttribute('href').slice(6);
    inputs.get(id).push(input);
    users.get(input).push(id);
  }
}
const edges = [...svg.querySelectorAll('.edge')];
let kept = null;

function reached(from, neighbours) {
  const known = new Set([from]), open = [from];
  while (open.length) for (const next of neighbours.get(open.pop())) if (!known.has(next)) { known.add(next); open.push(next); }
  return known;
}

function mark(id, word) {
  for (const step of drawn.get(id) || []) step.classList.add(word);
}

function clear() {
  svg.classList.remove('chosen');
  for (const element of svg.querySelectorAll('.near, .far, .at')) element.classList.remove('near', 'far', 'at');
}

function show(id) {
  clear();
  svg.classList.add('chosen');
  const before = reached(id, inputs), after = reached(id, users);
  for (const other of [...before, ...after]) mark(other, 'far');
  for (const other of [...inputs.get(id), ...users.get(id)]) mark(other, 'near');
  mark(id, 'at');
  for (const edge of edges) {
    const { from, to } = edge.dataset;
    if (from === id || to === id) edge.classList.add('near');
    else if ((before.has(from) && before.has(to)) || (after.has(from) && after.has(to))) edge.classList.add('far');
  }
  describe(id);
}

function describe(id) {
  const row = rows.get(id), [head, title, where] = ['div', 'h2', 'p'].map(name => document.createElement(name));
  title.textContent = row.querySelector('summary').textContent;
  const [number, name, , stage, line, state, time] = [...row.cells].map(cell => cell.textContent);
  where.className = 'where ' + row.className;
  const words = [number, name, stage && !/^\d+$/.test(stage) && 'stage ' + stage, line && 'line ' + line].filter(Boolean);
  where.textContent = words.join(' · ');
  if (state) {
    const word = document.createElement('b');
    word.textContent = row.querySelector('.state b').textContent;
    where.append(document.createElement('br'), word, state.slice(word.textContent.length), time ? ' · ' + time : '');
  }
  head.append(title, where);
  panel.replaceChildren(head, row.querySelector('.facts').cloneNode(true));
}

function keep(id, element) {
  kept = id;
  show(id);
  const target = element || (drawn.get(id) || [])[0];
  if (target && target !== document.activeElement) target.focus({ preventScroll: true });
  if (target) target.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

function release() {
  kept = null;
  clear();
  panel.replaceChildren(hint);
}

for (const [id, steps] of drawn) for (const step of steps) {
  step.addEventListener('mouseenter', () => { if (kept === null) show(id); });
  step.addEventListener('mouseleave', () => { if (kept === null) release(); });
  step.addEventListener('focus', () => { kept = null; show(id); });
  step.addEventListener('click', event => { event.preventDefault(); keep(id, step); });
}
panel.addEventListener('click', event => {
  const link = event.target.closest('a');
  if (link) { event.preventDefault(); keep(link.getAttribute('href').slice(6)); }
});
svg.addEventListener('click', event => { if (!event.target.closest('.step')) release(); });

document.addEventListener('keydown', event => {
  if (event.target === find) {
    if (event.key === 'Escape') { find.value = ''; search(); find.blur(); }
    if (event.key === 'Enter') { const first = svg.querySelector('.step.match'); if (first) keep(first.dataset.step, first); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === '/') { event.preventDefault(); find.focus(); return; }
  if (event.key === 'Escape') { release(); return; }
  const at = event.target.closest && event.target.closest('svg .step');
  const ways = { ArrowLeft: [inputs, 0], ArrowRight: [users, 0], ArrowUp: [inputs, 1], ArrowDown: [users, 1] };
  if (!at || !ways[event.key]) return;
  const [neighbours, which] = ways[event.key];
  const next = neighbours.get(at.dataset.step)[which];
  if (next !== undefined) { event.preventDefault(); keep(next); }
});

// What is asked for stays, in the picture and in the list; the rest fades and goes.
const states = [...document.querySelectorAll('.tools [name=state]')];
const texts = new Map([...rows].map(([id, row]) => [id, row.textContent.toLowerCase()]));
function search() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean), without = states.filter(state => !state.checked).map(state => state.value);
  const filtered = words.length > 0 || without.length > 0;
  let count = 0;
  for (const [id, row] of rows) {
    const hidden = without.some(state => row.classList.contains(state));
    const matches = !hidden && words.every(word => texts.get(id).includes(word));
    row.hidden = filtered && !matches;
    count += matches;
    for (const step of drawn.get(id) || []) step.classList.toggle('match', filtered && matches);
  }
  svg.classList.toggle('searched', filtered);
  found.textContent = filtered ? `${count} of ${rows.size} steps` : '';
}
find.addEventListener('input', search);
for (const state of states) state.addEventListener('change', search);

// The names of stages stay where one looks.
const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value], titles = [...svg.querySelectorAll('.title')];
let scale = 1;
function follow() {
  for (const title of titles) title.setAttribute('transform', `translate(${figure.scrollLeft / scale} 0)`);
}
figure.addEventListener('scroll', follow, { passive: true });
function zoom(to) {
  const middle = (figure.scrollLeft + figure.clientWidth / 2) / scale;
  scale = Math.min(2, Math.max(.1, to));
  svg.setAttribute('width', width * scale);
  svg.setAttribute('height', height * scale);
  figure.scrollLeft = middle * scale - figure.clientWidth / 2;
  follow();
}
document.getElementById('smaller').addEventListener('click', () => zoom(scale / 1.25));
document.getElementById('larger').addEventListener('click', () => zoom(scale * 1.25));
document.getElementById('fit').addEventListener('click', () => zoom(Math.min(1, figure.clientWidth / width)));
// A picture that is only a little too wide is shown whole.
if (figure.clientWidth / width < 1 && figure.clientWidth / width > .72) zoom(figure.clientWidth / width);

// An address may name a step.
const named = location.hash.startsWith('#step-') && location.hash.slice(6);
if (named && rows.has(named)) {
  keep(named);
  // The browser would go on to the list.
  addEventListener('load', () => scrollTo(0, 0));
}

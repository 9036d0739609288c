/**
 * `npm run bench`: measures tensorloom and its peers on this machine, interleaved, and prints each figure, its ratio to
 * every peer and its share of the machine's peak.
 *
 *   npm run bench -- --only gemm-512,cnn      figures whose id begins so
 *   npm run bench -- --quick                  one round of the main figures
 *   npm run bench -- --rounds 7 --threads 2
 *
 * Rules: the load is checked first; within a round each peer runs once, in turn (A B C A B C ...); a figure is the median
 * of its rounds and a ratio the median of the rounds' ratios, so that a slow minute of the machine hits all alike; what
 * is computed is consumed. A peer that is missing is named with the reason.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { figures, peers } from './figures.js';
import { Peer } from './peer.js';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    threads: { type: 'string', default: String(Math.min(2, os.availableParallelism())) },
    list: { type: 'boolean', default: false },
  },
});
const rounds = positive('rounds', options.rounds ?? (options.quick ? '1' : '5'));
const threads = positive('threads', options.threads);
/** Each peer works about so long in one round. */
const secondsPerRound = options.quick ? 0.25 : 0.5;

const prefixes = options.only?.split(',');
const chosen = figures.filter(({ id, quick }) =>
  prefixes ? prefixes.some((prefix) => id.startsWith(prefix)) : quick || !options.quick,
);
if (options.list || chosen.length === 0) {
  console.log(figures.map(({ id, title }) => `${id.padEnd(18)} ${title}`).join('\n'));
  process.exit(chosen.length === 0 && !options.list ? 1 : 0);
}

const load = await measureLoad();
const machine = { cpu: os.cpus()[0].model, cores: os.availableParallelism(), node: process.version, threads, load };
console.log(`${machine.cpu}, ${machine.cores} cores, ${threads} threads each, Node ${machine.node}`);
if (load.busy > 0.1 || load.average > 0.5) {
  console.log(
    `WARNING: the machine is not idle (${percent(load.busy)} busy now, load average ${load.average.toFixed(2)}): ` +
      'ratios stay fair, absolute figures do not',
  );
}

const running = await startPeers();
const peak = await measurePeak();
const results = {};
for (const figure of chosen) {
  results[figure.id] = await measure(figure);
  report(figure, results[figure.id]);
}
for (const peer of running.values()) peer.stop();
save();
process.exit(0);

function positive(name, text) {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`[bench] --${name} must be a positive integer; it is '${text}'`);
  process.exit(1);
}

/** How busy the cores are during half a second in which we do nothing. */
async function measureLoad() {
  const snapshot = () =>
    os.cpus().reduce(
      (sum, { times }) => {
        const total = Object.values(times).reduce((a, b) => a + b, 0);
        return { idle: sum.idle + times.idle, total: sum.total + total };
      },
      { idle: 0, total: 0 },
    );
  const before = snapshot();
  await sleep(500);
  const after = snapshot();
  const busy = 1 - (after.idle - before.idle) / Math.max(1, after.total - before.total);
  return { busy, average: os.loadavg()[0] };
}

async function startPeers() {
  const wanted = new Set(chosen.flatMap(({ entries }) => entries.map(({ peer }) => peer)));
  // Shares of peak need it, whatever else is chosen.
  wanted.add('x64');
  const started = new Map();
  for (const name of wanted) {
    try {
      const peer = await Peer.start(peers[name], threads);
      started.set(name, peer);
      console.log(`  ${name}: ${peer.versions}`);
    } catch (error) {
      console.log(`  ${name}: left out (${error.message})`);
    }
  }
  return started;
}

/** { gflops, copyBandwidth } of this machine, best of three; undefined where ours cannot measure it. */
async function measurePeak() {
  const peer = running.get('x64') ?? running.get('wasm');
  if (!peer) return undefined;
  try {
    const best = { gflops: 0, copyBandwidth: 0 };
    for (let i = 0; i < 3; i++) {
      const { value } = await peer.ask({ task: 'peak', warmup: 0 });
      for (const key of Object.keys(best)) best[key] = Math.max(best[key], value[key]);
    }
    console.log(`peak: ${best.gflops.toFixed(1)} GFLOP/s, copy ${best.copyBandwidth.toFixed(1)} GB/s\n`);
    return best;
  } catch (error) {
    console.log(`peak: not measured (${error.message})\n`);
    return undefined;
  }
}

/** Runs a figure's entries in turn; returns for each its rate or time in every round, or the reason why not. */
async function measure(figure) {
  const entries = figure.entries.map((entry) => ({
    name: entry.label ?? entry.peer,
    ours: peers[entry.peer].ours === true,
    peer: running.get(entry.peer),
    request: { ...figure.request, ...entry.request },
    amount: entry.amount ?? figure.amount,
    once: entry.once === true,
    reps: figure.fixedReps,
    rounds: [],
    failure: running.has(entry.peer) ? undefined : 'left out',
  }));
  for (let round = 0; round < rounds; round++) {
    for (const entry of entries) {
      if (entry.failure || (entry.once && round > 0)) continue;
      try {
        entry.rounds.push(await oneRound(figure, entry));
      } catch (error) {
        entry.failure = error.message;
        if (/did not answer|ended without/.test(error.message)) running.delete(entry.peer);
      }
      // Lets the threads of the one go to sleep before the next begins.
      await sleep(40);
    }
  }
  return entries.map(({ name, ours, rounds, failure }) => ({ name, ours, rounds, failure, median: median(rounds) }));
}

async function oneRound(figure, entry) {
  if (entry.reps === undefined) {
    // The first request warms up and says how many runs fill a round.
    const { seconds } = await entry.peer.ask({
      ...entry.request,
      reps: entry.once ? 1 : 2,
      warmup: entry.once ? 1 : 3,
    });
    entry.reps = entry.once ? 1 : Math.min(200, Math.max(2, Math.ceil(secondsPerRound / Math.min(...seconds))));
    if (entry.once) return entry.amount / seconds[0];
  }
  const warmup = figure.fixedReps ? 0 : 1;
  const { seconds } = await entry.peer.ask({ ...entry.request, reps: entry.reps, warmup });
  const time = median(seconds);
  if (figure.unit === '%') return time * 100;
  return figure.unit === 'ms' ? time * 1000 : entry.amount / time;
}

function report(figure, entries) {
  const [ours, ...others] = entries;
  const width = 30;
  if (ours.median === undefined) {
    console.log(`${figure.title.padEnd(width)} ours: ${ours.failure}`);
  } else {
    const share = shareOfPeak(figure, ours.median);
    const parts = [`${format(ours.median)} ${figure.unit}`.padEnd(18)];
    parts.push(share === undefined ? ''.padEnd(12) : `${percent(share)} of peak`.padEnd(12));
    console.log(`${figure.title.padEnd(width)} ${parts.join(' ')} ${verdict(figure, ours, others)}`);
  }
  for (const other of others) {
    const value = other.median === undefined ? other.failure : `${format(other.median)} ${figure.unit}`;
    const ratio = ratioTo(ours, other);
    console.log(
      `  ${other.name.padEnd(width - 2)} ${value.padEnd(18)} ${ratio ? `ours is ${ratio.toFixed(2)} x` : ''}`,
    );
  }
}

/** The median over the rounds of ours / theirs. */
function ratioTo(ours, other) {
  const pairs = Math.min(ours.rounds.length, other.rounds.length);
  return median(Array.from({ length: pairs }, (_, i) => ours.rounds[i] / other.rounds[i]));
}

function shareOfPeak(figure, value) {
  if (!peak) return undefined;
  if (figure.bytes) return value / peak.copyBandwidth;
  return figure.flops ? (value * (figure.flops / figure.amount)) / 1e9 / peak.gflops : undefined;
}

/** What the figure must reach, and whether it does. */
function verdict(figure, ours, others) {
  const { goal } = figure;
  const checks = [];
  const share = shareOfPeak(figure, ours.median);
  if (goal.peak && share !== undefined) checks.push([share >= goal.peak, `${percent(goal.peak)} of peak`]);
  if (goal.atLeast) checks.push([ours.median >= goal.atLeast, `at least ${goal.atLeast} ${figure.unit}`]);
  if (goal.atMost) checks.push([ours.median <= goal.atMost, `at most ${goal.atMost} ${figure.unit}`]);
  for (const [name, wanted] of Object.entries(goal.versus ?? {})) {
    const other = others.find((entry) => entry.name === name);
    const ratio = other && ratioTo(ours, other);
    if (ratio) checks.push([ratio >= wanted, `${wanted} x ${name}`]);
  }
  const neighbour = goal.neighbour && results[goal.neighbour.id]?.[0].median;
  if (neighbour) {
    const ratio = ours.median / neighbour;
    checks.push([
      ratio >= goal.neighbour.share,
      `${percent(goal.neighbour.share)} of ${goal.neighbour.id}: ${percent(ratio)}`,
    ]);
  }
  return checks.map(([reached, text]) => `${reached ? 'reaches' : 'SHORT OF'} ${text}`).join(', ');
}

function save() {
  const folder = new URL('./results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const versions = Object.fromEntries([...running].map(([name, peer]) => [name, peer.versions]));
  const table = chosen.map((figure) => ({
    id: figure.id,
    unit: figure.unit,
    shareOfPeak: results[figure.id][0].median && shareOfPeak(figure, results[figure.id][0].median),
    entries: results[figure.id].map((entry, i, all) => ({
      ...entry,
      oursIs: i > 0 ? ratioTo(all[0], entry) : undefined,
    })),
  }));
  const date = new Date().toISOString();
  writeFileSync(
    new URL('latest.json', folder),
    `${JSON.stringify({ date, machine, versions, peak, table }, null, 2)}\n`,
  );
  console.log('\nwritten to bench/results/latest.json');
}

function median(values) {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}

function format(value) {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

/**
 * Contractions whose lanes go with each other and that have few results for each lane but many steps of k: the filter gradient of a
 * depthwise convolution. All results of a vector of channels stay in registers along the innermost dim of k; what stands at
 * neighbouring steps is loaded once. One dim of k is cut into parts (by its extent, never by the number of threads) that have
 * sums of their own, which are added up at the end.
 */
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../../kernel/ir.ts';
import type { Capabilities } from '../../kernel/capabilities.ts';
import { sizeOf } from '../../types/shape.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { type LoweredKernel, Scratch } from '../emitter.ts';
import { newEmitter } from '../lower-elementwise.ts';
import { writeNest } from '../nest.ts';
import { outputIndex, type Task } from './lower.ts';
import { addressOf } from './pack.ts';
import { bytesOf, dimsOf, exchange, extentOf, type Problem, zeroOf } from './problem.ts';

const PARTS = 32;
/** Steps of k from which parts pay. */
const MANY_STEPS = 256;
/** Steps of the innermost dim that are written side by side. */
const SIDE_BY_SIDE = 4;

interface Plan {
  readonly problem: Problem;
  readonly lane: number;
  /** The dim of k that is cut, those walked inside of a part, and the innermost. */
  readonly cut: number;
  readonly walked: readonly number[];
  readonly inner: number;
  /** Results of a lane, as values of all dims. */
  readonly results: readonly (readonly number[])[];
}

/** How a problem is summed by channels, or null where it is of another kind. */
export function planChannelSums(given: Problem, caps: Capabilities): Plan | null {
  const problem = dimsOf(given, 'm').length === 0 ? exchange(given) : given;
  const { dims, a, b, out } = problem;
  if (problem.window || a.guards.length > 0 || b.guards.length > 0 || dimsOf(problem, 'n').length > 0) return null;
  const k = dimsOf(problem, 'k');
  const m = dimsOf(problem, 'm');
  if (k.length < 2 || extentOf(problem, k) < MANY_STEPS || extentOf(problem, m) > caps.tile.accumulators) return null;
  const lane = dimsOf(problem, 'batch').find(
    (d) => a.coefs[d] === 1 && b.coefs[d] === 1 && out.coefs[d] === 1 && dims[d].extent * 2 >= caps.lanes,
  );
  if (lane === undefined || dimsOf(problem, 'batch').length > 1) return null;
  const inner = k[k.length - 1];
  const outer = k.slice(0, -1);
  const cut = outer.reduce((best, d) => (dims[d].extent > dims[best].extent ? d : best), outer[0]);
  let results = [dims.map(() => 0)];
  for (const d of m) results = results.flatMap((at) => Array.from({ length: dims[d].extent }, (_, i) => at.with(d, i)));
  return { problem, lane, cut, walked: outer.filter((d) => d !== cut), inner, results };
}

/** Writes the sum of the parts into the task's kernel; returns the kernel that makes the parts. */
export function writeChannelSums(task: Task, plan: Plan, name: string): LoweredKernel {
  const { problem, cut } = plan;
  const { extent } = problem.dims[cut];
  const per = Math.ceil(extent / PARTS);
  const parts = Math.ceil(extent / per);
  const size = sizeOf(task.output.shape);
  const scratch = new Scratch(problem.elem, parts * size);
  const emitter = newEmitter(task.context, []);
  const { b } = emitter;
  const buffers = {
    a: emitter.buffer(problem.a.buffer, 'read'),
    b: emitter.buffer(problem.b.buffer, 'read'),
    to: emitter.buffer(scratch, 'write'),
  };
  const part = (p: Affine, count: number) => writePart(b, plan, buffers, times(p, size), times(p, per), count);
  const whole = Math.floor(extent / per);
  b.region('part', whole, (p) => part(variable(p), per));
  if (parts > whole) b.region('rest', 1, () => part(constant(whole), extent - whole * per));
  addParts(task, plan, scratch, parts, size);
  const steps = extentOf(
    problem,
    problem.dims.map((_, d) => d),
  );
  return emitter.build(`${name}.parts`, { flops: 2 * steps, bytes: bytesOf(problem) * parts * size });
}

interface Buffers {
  readonly a: number;
  readonly b: number;
  readonly to: number;
}

function eachVector(b: KernelBuilder, extent: number, each: (at: Affine, lanes: number) => void): void {
  const whole = extent - (extent % b.lanes);
  if (whole > 0) b.loop('c', 0, whole, (v) => each(variable(v), b.lanes), { step: b.lanes });
  if (whole < extent) each(constant(whole), extent - whole);
}

/** The sums of one part, at `to` in the scratch memory. */
function writePart(b: KernelBuilder, plan: Plan, buffers: Buffers, to: Affine, from: Affine, count: number): void {
  const { problem, lane, cut, walked } = plan;
  const env: Affine[] = problem.dims.map(() => constant(0));
  const place = (result: readonly number[], channel: Affine) => {
    const offset = result.reduce((sum, at, d) => sum + at * problem.out.coefs[d], problem.out.offset);
    return shift(plus(to, channel), offset);
  };
  const channels = problem.dims[lane].extent;
  eachVector(b, channels, (channel, lanes) => {
    for (const result of plan.results) b.store(buffers.to, place(result, channel), 1, lanes, zeroOf(b, problem));
  });
  const walk = (rest: readonly number[]): void => {
    if (rest.length > 0) {
      b.each(problem.dims[rest[0]].name, problem.dims[rest[0]].extent, (at) => {
        env[rest[0]] = at;
        walk(rest.slice(1));
      });
      return;
    }
    eachVector(b, channels, (channel, lanes) => {
      env[lane] = channel;
      const sums = sumsAlong(b, plan, buffers, env, lanes);
      plan.results.forEach((result, r) => {
        const at = place(result, channel);
        b.store(buffers.to, at, 1, lanes, b.binary('add', b.load(buffers.to, at, 1, lanes), sums[r]));
      });
    });
  };
  b.each('part', count, (at) => {
    env[cut] = plus(from, at);
    walk(walked);
  });
}

/** The sums over the innermost dim of k, for every result of a vector of channels. */
function sumsAlong(b: KernelBuilder, plan: Plan, buffers: Buffers, env: Affine[], lanes: number): Reg[] {
  const { problem, inner, results } = plan;
  const { extent } = problem.dims[inner];
  const sums = results.map(() => b.acc(zeroOf(b, problem)));
  const offsets = results.map((result) => result.reduce((sum, at, d) => sum + at * problem.a.coefs[d], 0));
  const steps = (first: Affine, count: number) => {
    env[inner] = first;
    const [startA, startB] = [addressOf(problem.a, env), addressOf(problem.b, env)];
    const seen = new Map<number, Reg>();
    for (let i = 0; i < count; i++) {
      const y = b.load(buffers.b, shift(startB, i * problem.b.coefs[inner]), 1, lanes);
      offsets.forEach((offset, r) => {
        const at = offset + i * problem.a.coefs[inner];
        const x = seen.get(at) ?? b.load(buffers.a, shift(startA, at), 1, lanes);
        seen.set(at, x);
        b.fmaAcc(sums[r], x, y);
      });
    }
  };
  const whole = extent - (extent % SIDE_BY_SIDE);
  if (whole > 0)
    b.loop(problem.dims[inner].name, 0, whole, (v) => steps(variable(v), SIDE_BY_SIDE), { step: SIDE_BY_SIDE });
  if (whole < extent) steps(constant(whole), extent - whole);
  env[inner] = constant(0);
  return sums;
}

/** out = the sum of all parts, and whatever the group makes of it. */
function addParts(task: Task, plan: Plan, scratch: Scratch, parts: number, size: number): void {
  const { problem, lane } = plan;
  const { emitter } = task;
  const { b } = emitter;
  const from = emitter.buffer(scratch, 'read');
  const order = [...dimsOf(problem, 'm'), lane];
  const extents = order.map((d) => problem.dims[d].extent);
  writeNest(b, extents, { threads: task.context.caps.threads, work: parts }, (at, lanes) => {
    const env: Affine[] = problem.dims.map(() => constant(0));
    order.forEach((d, i) => {
      env[d] = at[i].at;
    });
    const sum = b.acc(zeroOf(b, problem));
    b.each('p', parts, (p) =>
      b.set(sum, b.binary('add', sum, b.load(from, plus(times(p, size), addressOf(problem.out, env)), 1, lanes))),
    );
    const index = outputIndex(task.output, problem.outAxes, env, lane, lanes);
    index.memo.set(task.output, sum);
    emitter.finish(task.group.roots, index);
  });
}

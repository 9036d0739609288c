/**
 * Contractions that a register tile does not fit: few rows or columns, integers, channels that go with each other (depthwise).
 * Lanes run along whatever the addresses walk with stride 1: an output dim, else k.
 */
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, shift, variable } from '../../kernel/ir.ts';
import type { Coord } from '../../ops/lowering.ts';
import { isFloat } from '../../types/dtype.ts';
import { coord } from '../index-space.ts';
import type { LoweredKernel } from '../emitter.ts';
import { lanesOf } from '../lower-reduce.ts';
import { writeNest } from '../nest.ts';
import { outputIndex, type Task } from './lower.ts';
import { addressOf } from './pack.ts';
import { dimsOf, extentOf, type Problem, type Side } from './problem.ts';

const ILP = 4;

export function writeDots(task: Task, problem: Problem): LoweredKernel[] {
  const { emitter, context } = task;
  const outDims = problem.dims.map((_, d) => d).filter((d) => problem.dims[d].role !== 'k');
  const k = dimsOf(problem, 'k');
  const free = (d: number) => problem.a.guards.every((guard) => guard.coefs[d] === 0);
  // Lanes side by side cannot stop at different places, so none run along a dim that padding depends on.
  const gentle = (d: number) =>
    free(d) && [problem.a.coefs[d], problem.b.coefs[d]].every((coef) => coef === 0 || coef === 1);
  const inner = k[k.length - 1];
  const lanesOut = outDims.find(
    (d) => problem.out.coefs[d] === 1 && gentle(d) && problem.dims[d].extent >= context.caps.lanes / 2,
  );
  // Where both sides are one element for all of k, idle lanes would hold it, too, and count.
  const walks = inner !== undefined && (problem.a.coefs[inner] !== 0 || problem.b.coefs[inner] !== 0);
  const alongK = lanesOut === undefined && walks && gentle(inner) && problem.dims[inner].extent >= context.caps.lanes;
  const order = lanesOut === undefined ? outDims : [...outDims.filter((d) => d !== lanesOut), lanesOut];
  const extents = order.map((d) => problem.dims[d].extent);
  const options = { threads: context.caps.threads, work: 2 * extentOf(problem, k), scalar: lanesOut === undefined };
  writeNest(emitter.b, extents, options, (at, lanes) => {
    const env: Affine[] = problem.dims.map(() => constant(0));
    order.forEach((d, i) => {
      env[d] = at[i].at;
    });
    const acc = alongK
      ? dotAlongK(task, problem, env, k)
      : dotAlongOutput(task, problem, env, k, lanesOut ?? -1, lanes);
    const index = outputIndex(task.output, problem.outAxes, env, lanesOut ?? -1, lanes);
    index.memo.set(task.output, acc);
    emitter.finish(task.group.roots, index);
  });
  return [];
}

function zeroOf(task: Task): Reg {
  return task.emitter.fill(task.output.dtype, 0);
}

function multiplyAdd(task: Task, acc: Reg, x: Reg, y: Reg): void {
  const { b } = task.emitter;
  if (isFloat(task.output.dtype)) b.fmaAcc(acc, x, y);
  else b.set(acc, b.binary('add', acc, b.binary('mul', x, y)));
}

function loadSide(task: Task, side: Side, env: readonly Affine[], lane: Coord, dim: number, lanes: number): Reg {
  const stride = dim < 0 ? 0 : side.coefs[dim] * lane.laneStep;
  return task.emitter.b.load(task.emitter.buffer(side.buffer, 'read'), addressOf(side, env), stride, lanes);
}

function dotAlongOutput(
  task: Task,
  problem: Problem,
  env: Affine[],
  k: readonly number[],
  laneDim: number,
  lanes: number,
): Reg {
  const { b } = task.emitter;
  const acc = b.acc(zeroOf(task));
  const lane = coord(constant(0), 1);
  const nest = (dims: readonly number[]): void => {
    if (dims.length === 0) {
      return multiplyAdd(
        task,
        acc,
        loadSide(task, problem.a, env, lane, laneDim, lanes),
        loadSide(task, problem.b, env, lane, laneDim, lanes),
      );
    }
    guardedLoop(task, problem, dims[0], env, () => nest(dims.slice(1)));
  };
  nest(k);
  return acc;
}

/** Loops over a dim of k where A's padding is not read; guards with a step other than 1 have been padded away before. */
function guardedLoop(task: Task, problem: Problem, dim: number, env: Affine[], body: () => void): void {
  const { b } = task.emitter;
  const guards = problem.a.guards.filter((guard) => guard.coefs[dim] !== 0);
  const { extent, name } = problem.dims[dim];
  const run = (at: Affine) => {
    env[dim] = at;
    body();
  };
  if (guards.length === 0) b.each(name, extent, run);
  else {
    const rest = guards.map((guard) => ({
      guard,
      at: addressOf({ offset: guard.offset, coefs: guard.coefs.map((coef, d) => (d === dim ? 0 : coef)) }, env),
    }));
    const negate = (at: Affine): Affine => ({
      offset: -at.offset,
      terms: at.terms.map((t) => ({ v: t.v, coef: -t.coef })),
    });
    const lo = rest.map(({ guard, at }) => (guard.coefs[dim] > 0 ? negate(at) : shift(at, 1 - guard.extent)));
    const hi = rest.map(({ guard, at }) => (guard.coefs[dim] > 0 ? shift(negate(at), guard.extent) : shift(at, 1)));
    b.loop(name, [constant(0), ...lo], [constant(extent), ...hi], (v) => run(variable(v)));
  }
  env[dim] = constant(0);
}

function dotAlongK(task: Task, problem: Problem, env: Affine[], k: readonly number[]): Reg {
  const { b } = task.emitter;
  const { lanes } = task.context.caps;
  const inner = k[k.length - 1];
  const { extent } = problem.dims[inner];
  const wide = Math.min(ILP, Math.floor(extent / lanes));
  const accs = Array.from({ length: wide }, () => b.acc(zeroOf(task)));
  const lane = coord(constant(0), 1);
  const vector = (acc: Reg, at: Affine, active: number) => {
    env[inner] = at;
    multiplyAdd(
      task,
      acc,
      loadSide(task, problem.a, env, lane, inner, active),
      loadSide(task, problem.b, env, lane, inner, active),
    );
  };
  const step = wide * lanes;
  const whole = Math.floor(extent / step) * step;
  const nest = (dims: readonly number[]): void => {
    if (dims.length > 0) return guardedLoop(task, problem, dims[0], env, () => nest(dims.slice(1)));
    b.loop(
      'k',
      0,
      [constant(whole)],
      (v) => accs.forEach((acc, i) => vector(acc, shift(variable(v), i * lanes), lanes)),
      { step },
    );
    lanesOf(extent - whole, lanes).forEach((active, i) => vector(accs[i % wide], constant(whole + i * lanes), active));
    env[inner] = constant(0);
  };
  nest(k.slice(0, -1));
  let sum = accs[0];
  for (const acc of accs.slice(1)) sum = b.binary('add', sum, acc);
  return b.reduceLanes('add', sum, lanes);
}

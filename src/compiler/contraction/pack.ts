/** Copies of operands in the order in which the tiles read them; made only where the original order would miss the caches. */
import type { Affine } from '../../kernel/ir.ts';
import { constant, plus, shift, times } from '../../kernel/ir.ts';
import { type Emitter, type LoweredKernel, Scratch } from '../emitter.ts';
import type { LowerContext } from '../lower-elementwise.ts';
import { newEmitter } from '../lower-elementwise.ts';
import { blockedRegion, chunkElements } from '../nest.ts';
import { bytesOf, dimsOf, extentOf, type Problem, type Side, zeroOf } from './problem.ts';
import type { Tiling } from './tiling.ts';

/** Offset of a side for given coordinates. */
export function addressOf(
  side: { readonly offset: number; readonly coefs: readonly number[] },
  env: readonly Affine[],
): Affine {
  let at = constant(side.offset);
  side.coefs.forEach((coef, d) => {
    if (coef !== 0) at = plus(at, times(env[d], coef));
  });
  return at;
}

export interface Packed {
  readonly kernel: LoweredKernel;
  readonly side: Side;
}

/** Strides of a dense array over `dims` whose innermost step is `unit`. */
function denseCoefs(problem: Problem, dims: readonly number[], unit: number, into: number[]): number {
  let stride = unit;
  for (let i = dims.length - 1; i >= 0; i--) {
    into[dims[i]] = stride;
    stride *= problem.dims[dims[i]].extent;
  }
  return stride;
}

/** B as panels: [other dims][panel][k][width], zeros behind the last column. */
export function packB(context: LowerContext, problem: Problem, tiling: Tiling, name: string): Packed {
  const { vectorDim, width } = tiling;
  const k = dimsOf(problem, 'k');
  const steps = extentOf(problem, k);
  const panels = Math.ceil(problem.dims[vectorDim].extent / width);
  const outer = problem.dims
    .map((_, d) => d)
    .filter((d) => d !== vectorDim && !k.includes(d) && problem.b.coefs[d] !== 0);
  const coefs = problem.dims.map(() => 0);
  denseCoefs(problem, k, width, coefs);
  // A panel begins at column j0 = panel * width, and takes steps * width elements: steps for each column.
  coefs[vectorDim] = steps;
  const size = denseCoefs(problem, outer, panels * steps * width, coefs);
  const scratch = new Scratch(problem.elem, size);
  const side: Side = { buffer: scratch, offset: 0, coefs, guards: [] };
  const emitter = newEmitter(context, []);
  const env: Affine[] = problem.dims.map(() => constant(0));
  const from = emitter.buffer(problem.b.buffer, 'read');
  const to = emitter.buffer(scratch, 'write');
  const one = (lanes: readonly number[]) =>
    loops(emitter, problem, k, env, () =>
      copyStep(emitter, problem, tiling, { lanes, env, from, to, at: addressOf(side, env) }),
    );
  const perPanel = steps * width * extentOf(problem, outer);
  for (const segment of tiling.panels) {
    const block = Math.max(1, Math.floor(chunkElements(size, { threads: context.caps.threads, work: 1 }) / perPanel));
    blockedRegion(emitter.b, 'panel', segment.count, block, (panel) => {
      env[vectorDim] = plus(times(panel, width), constant(segment.from));
      loops(emitter, problem, outer, env, () => one(segment.lanes));
    });
  }
  return { kernel: emitter.build(`${name}.packB`, { flops: 0, bytes: 2 * size * bytesOf(problem) }), side };
}

/** One step of k of a panel: from B to element `at` of `to`, zeros behind the last column. */
export function copyStep(
  emitter: Emitter,
  problem: Problem,
  { vectorDim, width }: Tiling,
  step: {
    readonly lanes: readonly number[];
    readonly env: readonly Affine[];
    readonly from: number;
    readonly to: number;
    readonly at: Affine;
  },
): void {
  const { b } = emitter;
  const stride = problem.b.coefs[vectorDim];
  for (let column = 0; column < width; column += b.lanes) {
    const active = step.lanes[column / b.lanes] ?? 0;
    const from = shift(addressOf(problem.b, step.env), column * stride);
    const value = active === 0 ? zeroOf(b, problem) : b.load(step.from, from, stride, active);
    b.store(step.to, shift(step.at, column), 1, b.lanes, value);
  }
}

/** A as strips: [other dims][row][k] with the rows of one tile side by side: element (row0 + i, k) at row0 * steps + k * rows + i. */
export function packA(
  context: LowerContext,
  problem: Problem,
  tiling: Tiling,
  name: string,
): Packed & { readonly unit: 'rows' } {
  const rowDim = tiling.rowDim as number;
  const k = dimsOf(problem, 'k');
  const steps = extentOf(problem, k);
  const outer = problem.dims.map((_, d) => d).filter((d) => d !== rowDim && !k.includes(d) && problem.a.coefs[d] !== 0);
  const coefs = problem.dims.map(() => 0);
  // In units of the tile's rows: the walk over k is scaled by the rows of the segment at hand.
  denseCoefs(problem, k, 1, coefs);
  coefs[rowDim] = steps;
  const size = denseCoefs(problem, outer, steps * problem.dims[rowDim].extent, coefs);
  const scratch = new Scratch(problem.elem, size);
  const side: Side = { buffer: scratch, offset: 0, coefs, guards: [] };
  const emitter = newEmitter(context, []);
  const env: Affine[] = problem.dims.map(() => constant(0));
  const from = emitter.buffer(problem.a.buffer, 'read');
  const to = emitter.buffer(scratch, 'write');
  for (const segment of tiling.rows) {
    const scaled = scaleK(side, k, segment.size);
    const perTile = segment.size * steps * extentOf(problem, outer);
    const block = Math.max(1, Math.floor(chunkElements(size, { threads: context.caps.threads, work: 2 }) / perTile));
    blockedRegion(emitter.b, 'strip', segment.count, block, (tile) => {
      env[rowDim] = plus(times(tile, segment.size), constant(segment.from));
      loops(emitter, problem, outer, env, () =>
        loops(emitter, problem, k, env, () => {
          const { lanes } = context.caps;
          for (let i = 0; i < segment.size; i += lanes) {
            const active = Math.min(lanes, segment.size - i);
            const value = emitter.b.load(
              from,
              plus(addressOf(problem.a, env), constant(i * problem.a.coefs[rowDim])),
              problem.a.coefs[rowDim],
              active,
            );
            emitter.b.store(to, plus(addressOf(scaled, env), constant(i)), 1, active, value);
          }
        }),
      );
    });
  }
  return {
    kernel: emitter.build(`${name}.packA`, { flops: 0, bytes: 2 * size * bytesOf(problem) }),
    side,
    unit: 'rows',
  };
}

/** A packed side as tiles of `rows` rows see it. */
export function scaleK(side: Side, k: readonly number[], rows: number): Side {
  return { ...side, coefs: side.coefs.map((coef, d) => (k.includes(d) ? coef * rows : coef)) };
}

export function loops(
  emitter: Emitter,
  problem: Problem,
  dims: readonly number[],
  env: Affine[],
  inner: () => void,
): void {
  if (dims.length === 0) return inner();
  emitter.b.each(problem.dims[dims[0]].name, problem.dims[dims[0]].extent, (at) => {
    env[dims[0]] = at;
    loops(emitter, problem, dims.slice(1), env, inner);
  });
}

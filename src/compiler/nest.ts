/**
 * Loop nests over a box: which axis is shared among threads, which one fills the lanes, what becomes of the ragged end.
 * Knows nothing of what stands in the loops.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Kernel, Node } from '../kernel/ir.ts';
import { constant, shift, variable } from '../kernel/ir.ts';
import type { Coord } from '../ops/lowering.ts';
import { coord } from './index-space.ts';

export interface NestOptions {
  readonly threads: number;
  /** Rough operations for each element; more of it means smaller chunks. */
  readonly work: number;
  /** One element at a time. */
  readonly scalar?: boolean;
  /** Axes that are written out instead of looped over. */
  readonly unroll?: readonly boolean[];
}

type Leaf = (at: Coord[], lanes: number) => void;

/** A thread that is interrupted holds the others up by a chunk at most: that should be a fraction of a millisecond. */
const LARGEST_CHUNK = 2 ** 18;

/** Elements that one chunk should have: enough to pay for claiming it, few enough to spread. Bits never depend on it. */
export function chunkElements(total: number, options: NestOptions): number {
  const least = Math.max(256, Math.ceil(16384 / Math.max(1, options.work)));
  return Math.max(least, Math.min(LARGEST_CHUNK, Math.ceil(total / (options.threads * 4))));
}

/** Which axis is cut into chunks: the outermost one that gives enough of them, else the longest. */
function sharedAxis(extents: readonly number[], wanted: number, unroll: readonly boolean[] = []): number {
  let best = Math.max(0, unroll.indexOf(false));
  for (let axis = 0; axis < extents.length; axis++) {
    if (unroll[axis]) continue;
    if (extents[axis] >= wanted) return axis;
    if (extents[axis] > extents[best]) best = axis;
  }
  return best;
}

/** A loop over one axis of blocks: region -> loop, without the inner loop where a block is one iteration. */
export function blockedRegion(
  b: KernelBuilder,
  name: string,
  extent: number,
  block: number,
  body: (at: Affine, chunk: Affine) => void,
): void {
  const blocks = Math.ceil(extent / block);
  b.region(name, blocks, (c) => {
    if (block === 1) body(variable(c), variable(c));
    else if (blocks === 1) b.each(`${name}i`, extent, (at) => body(at, constant(0)));
    else
      b.loop(
        `${name}i`,
        [variable(c, block)],
        extent % block === 0
          ? [shift(variable(c, block), block)]
          : [shift(variable(c, block), block), constant(extent)],
        (v) => body(variable(v), variable(c)),
      );
  });
}

/** Visits every element of the box `extents` once; the last axis fills the lanes. */
export function writeNest(b: KernelBuilder, extents: readonly number[], options: NestOptions, leaf: Leaf): void {
  const total = extents.reduce((product, extent) => product * extent, 1);
  if (total === 0) return;
  if (extents.length === 0) return b.region('one', 1, () => leaf([], 1));
  const last = extents.length - 1;
  const lanes = options.scalar ? 1 : b.lanes;
  const laneStep = options.scalar ? 0 : 1;
  const chunk = chunkElements(total, options);
  const shared = sharedAxis(extents, Math.min(Math.ceil(total / chunk), options.threads * 4), options.unroll);
  const rest = extents.map((_, axis) => axis).filter((axis) => axis !== shared && axis !== last);
  const at: Coord[] = extents.map(() => coord(constant(0)));
  const outer = (list: readonly number[], inner: () => void): void => {
    if (list.length === 0) return inner();
    const next = (a: Affine) => {
      at[list[0]] = coord(a);
      outer(list.slice(1), inner);
    };
    b.each(`i${list[0]}`, extents[list[0]], next, options.unroll?.[list[0]]);
  };
  const full = Math.floor(extents[last] / lanes);
  const tail = extents[last] % lanes;
  const vectors = (from: (body: (at: Affine) => void) => void) =>
    outer(rest, () =>
      from((a) => {
        at[last] = coord(a, laneStep);
        leaf(at.slice(), lanes);
      }),
    );
  const ending = () =>
    outer(rest, () => {
      at[last] = coord(constant(full * lanes), laneStep);
      leaf(at.slice(), tail);
    });
  if (shared === last) {
    const perVector = (total / extents[last]) * lanes;
    const block = Math.max(1, Math.round(chunk / perVector));
    if (full > 0) {
      const blocks = Math.ceil(full / block);
      b.region('c', blocks, (c) => vectors((body) => laneLoop(b, c, blocks, block, full, lanes, body)));
    }
    if (tail > 0) b.region('tail', 1, ending);
    return;
  }
  blockedRegion(b, 'c', extents[shared], Math.max(1, Math.floor(chunk / (total / extents[shared]))), (a) => {
    at[shared] = coord(a);
    if (full > 0)
      vectors((body) =>
        full === 1
          ? body(constant(0))
          : b.loop('v', 0, [constant(full * lanes)], (v) => body(variable(v)), { step: lanes }),
      );
    if (tail > 0) ending();
  });
}

function laneLoop(
  b: KernelBuilder,
  c: Parameters<Parameters<KernelBuilder['region']>[2]>[0],
  blocks: number,
  block: number,
  full: number,
  lanes: number,
  body: (at: Affine) => void,
): void {
  const step = block * lanes;
  if (block === 1) return body(variable(c, lanes));
  if (blocks === 1) {
    b.loop('v', 0, [constant(full * lanes)], (v) => body(variable(v)), { step: lanes });
    return;
  }
  const hi = [shift(variable(c, step), step)];
  if (full % block !== 0) hi.push(constant(full * lanes));
  b.loop('v', [variable(c, step)], hi, (v) => body(variable(v)), { step: lanes });
}

/** Every affine map of a kernel: addresses and index values. */
function affinesOf(nodes: readonly Node[], out: Affine[]): void {
  for (const node of nodes) {
    if (node.op === 'loop') {
      out.push(...node.lo, ...node.hi);
      affinesOf(node.body, out);
    } else if (node.op === 'load' || node.op === 'store' || node.op === 'index') out.push(node.at);
  }
}

/**
 * Groups neighbouring axes that every address walks as if they were one: coefficient(outer) = coefficient(inner) * extent(inner).
 * `kernel` is a trial with one loop variable for each axis, in `vars` (null for an axis of extent 1).
 */
export function mergeableAxes(
  kernel: Kernel,
  extents: readonly number[],
  vars: readonly (number | null)[],
  separate: (axis: number) => boolean = () => false,
): number[][] {
  const affines: Affine[] = [];
  for (const region of kernel.regions) affinesOf(region.body, affines);
  const coef = (affine: Affine, axis: number) => affine.terms.find((term) => term.v.id === vars[axis])?.coef ?? 0;
  const groups: number[][] = [];
  for (let axis = 0; axis < extents.length; axis++) {
    if (vars[axis] === null) continue;
    const group = groups[groups.length - 1];
    const previous = group?.[group.length - 1];
    const joins =
      previous !== undefined &&
      !separate(axis) &&
      affines.every((affine) => coef(affine, previous) === coef(affine, axis) * extents[axis]);
    if (joins) group.push(axis);
    else groups.push([axis]);
  }
  return groups;
}

/** Coordinates of all axes, given those of the merged groups: a group's inner axis carries its whole walk. */
export function spreadGroups(rank: number, groups: readonly (readonly number[])[], at: readonly Coord[]): Coord[] {
  const dims: Coord[] = new Array<Coord>(rank).fill(coord(constant(0)));
  groups.forEach((group, g) => {
    dims[group[group.length - 1]] = at[g];
  });
  return dims;
}

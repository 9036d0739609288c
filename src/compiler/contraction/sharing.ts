/** What the threads of a contraction share: an outer dim, tiles of rows, or panels of columns. It never changes a sum. */
import { bufferOf } from '../emitter.ts';
import type { Task } from './lower.ts';
import { bytesOf, dimsOf, extentOf, loopedRows, type Problem, type Side } from './problem.ts';
import { chooseKBlocks, type Tiling } from './tiling.ts';

/** Multiply-adds that a chunk should have at least. */
const LEAST_CHUNK = 200_000;

export interface Shared {
  readonly kind: 'dim' | 'rows' | 'panels' | 'none';
  readonly dim: number | null;
  /** Iterations of one chunk. */
  readonly block: number;
  /** Whether a chunk copies its panels of B, one block of k after the other, into a place of its own. */
  readonly copies: boolean;
}

/** What threads share: an outer dim that is long enough, else tiles of rows, else panels. Results never depend on it. */
export function chooseShared(task: Task, problem: Problem, tiling: Tiling): Shared {
  const { threads } = task.context.caps;
  const all = extentOf(
    problem,
    problem.dims.map((_, d) => d),
  );
  const wanted = threads * 2;
  // B is read again for each chunk: where k is long it is not cached, so chunks are few.
  const streams = extentOf(problem, dimsOf(problem, 'k')) > 2048;
  const most = streams ? wanted : threads * 8;
  const blockOf = (count: number) => Math.max(1, Math.ceil(count / most), Math.ceil((LEAST_CHUNK * count) / all));
  const blockOfPanels = Math.max(1, Math.ceil(tiling.panels[0].count / (threads * 8)));
  if (ownsPanels(task, problem, tiling)) {
    const rows = extentOf(problem, dimsOf(problem, 'm'));
    const copies = problem.b.coefs[tiling.vectorDim] !== 1 || rows >= ROWS_FOR_COPY;
    const block = Math.min(blockOfPanels, panelsInCache(task, problem, tiling));
    return { kind: 'panels', dim: null, block, copies };
  }
  if (panelsInstead(task, problem, tiling)) return { kind: 'panels', dim: null, block: blockOfPanels, copies: false };
  const blockOfRows = (count: number) =>
    Math.min(Math.ceil(blockOf(count) / (streams ? 1 : 2)), rowsInCache(task, problem, tiling));
  const outer = [
    ...dimsOf(problem, 'batch'),
    ...loopedRows(problem, tiling.rowDim),
    ...dimsOf(problem, 'n').filter((d) => d !== tiling.vectorDim),
  ];
  const choices: { kind: Shared['kind']; dim: number | null; count: number }[] = outer.map((dim) => ({
    kind: 'dim',
    dim,
    count: problem.dims[dim].extent,
  }));
  choices.push({
    kind: 'rows',
    dim: null,
    count: tiling.rowDim === null ? 1 : Math.max(...tiling.rows.map((row) => row.count)),
  });
  choices.push({ kind: 'panels', dim: null, count: tiling.panels[0].count });
  const blockFor = (choice: (typeof choices)[number]) => (choice.kind === 'rows' ? blockOfRows : blockOf)(choice.count);
  const chunks = (choice: (typeof choices)[number]) => Math.ceil(choice.count / blockFor(choice));
  const good = choices.find((choice) => chunks(choice) >= Math.min(wanted * 2, Math.ceil(all / LEAST_CHUNK)));
  const best = good ?? choices.reduce((a, b) => (chunks(b) > chunks(a) ? b : a));
  if (best.count === 1) return { kind: 'none', dim: null, block: 1, copies: false };
  return { kind: best.kind, dim: best.dim, block: blockFor(best), copies: false };
}

/** Rows that pay for the copy of a panel by the chunk that reads it. */
const ROWS_FOR_COPY = 48;

/**
 * Whether a chunk had better take columns for itself: a plain product whose B is more than a core keeps and not much smaller than A.
 * It copies a panel into its own cache and goes through all rows; nobody waits at a barrier, and nothing passes from core to core.
 */
function ownsPanels(task: Task, problem: Problem, tiling: Tiling): boolean {
  const { threads, cacheBytes } = task.context.caps;
  const plain = problem.dims.every(({ role, extent }, d) =>
    role === 'n' ? d === tiling.vectorDim : role !== 'batch' || extent === 1,
  );
  if (!plain || problem.window || problem.a.guards.length > 0 || dimsOf(problem, 'k').length !== 1) return false;
  const bytes = ({ buffer }: Side) => bytesOf(problem) * bufferOf(buffer).size;
  return (
    bytes(problem.b) * 2 > cacheBytes.l2 &&
    bytes(problem.a) <= 2 * bytes(problem.b) &&
    tiling.panels[0].count >= 2 * threads
  );
}

/** Panels whose part for one block of k takes at most half of the second cache. */
function panelsInCache(task: Task, problem: Problem, tiling: Tiling): number {
  const blocks = chooseKBlocks(problem, task.context.caps);
  const steps = blocks.cut || extentOf(problem, blocks.inner);
  return Math.max(1, Math.floor(task.context.caps.cacheBytes.l2 / 2 / (steps * bytesOf(problem) * tiling.width)));
}

/**
 * Whether B is what moves: much larger than A and than what a core keeps. Threads that share rows would each read all of it, so
 * they had better share its columns.
 */
function panelsInstead(task: Task, problem: Problem, tiling: Tiling): boolean {
  const { threads, cacheBytes } = task.context.caps;
  const bytes = ({ buffer }: Side) => bytesOf(problem) * bufferOf(buffer).size;
  if (dimsOf(problem, 'batch').some((d) => problem.dims[d].extent > 1)) return false;
  return (
    bytes(problem.b) * 2 > cacheBytes.l2 &&
    bytes(problem.b) > 2 * bytes(problem.a) &&
    bytes(problem.a) * 4 <= cacheBytes.l2 &&
    tiling.panels[0].count >= 2 * threads
  );
}

/** Tiles of rows whose part of A, for one block of k, takes at most half of the second cache. */
function rowsInCache(task: Task, problem: Problem, tiling: Tiling): number {
  const { steps } = chooseKBlocks(problem, task.context.caps);
  return Math.max(
    1,
    Math.floor(task.context.caps.cacheBytes.l2 / 2 / (steps * bytesOf(problem) * tiling.rows[0].size)),
  );
}

/**
 * How a contraction is cut: register tiles (rows x vectors), the row dim, blocks of k, the dim that threads share. A small
 * cost model in cycles; it knows capabilities, not targets.
 */
import type { Capabilities } from '../../kernel/capabilities.ts';
import { bytesOf, dimsOf, extentOf, type Problem } from './problem.ts';

/** `count` neighbouring tiles of `size` rows from row `from`. */
export interface RowSegment {
  readonly size: number;
  readonly count: number;
  readonly from: number;
}

/** `count` neighbouring panels whose vectors have `lanes` active lanes, from column `from`. */
export interface PanelSegment {
  readonly lanes: readonly number[];
  readonly count: number;
  readonly from: number;
}

export interface Tiling {
  /** The dim whose neighbours are the tile's rows; null where there is a single row. */
  readonly rowDim: number | null;
  readonly vectorDim: number;
  readonly rows: readonly RowSegment[];
  readonly panels: readonly PanelSegment[];
  /** Columns of a full panel. */
  readonly width: number;
}

/** Several dims of k are walked in blocks of about this many steps: panels come from the second cache, sums go to memory seldom. */
const K_BLOCK = 512;
/** A single dim of k that is too long is cut into parts of at most this many steps. */
const CUT = 1024;
/** The whole of k is one block where a panel three vectors wide takes at most this share of the second cache. */
const PANEL_SHARE = 0.4;

/** Rows cut into tiles of at most `most`, as equal as can be: 26 = 6 + 5 + 5 + 5 + 5. */
export function rowSegments(extent: number, most: number): RowSegment[] {
  const tiles = Math.ceil(extent / most);
  const size = Math.ceil(extent / tiles);
  const big = extent - tiles * (size - 1);
  const segments = [
    { size, count: big, from: 0 },
    { size: size - 1, count: tiles - big, from: big * size },
  ];
  return segments.filter((segment) => segment.count > 0 && segment.size > 0);
}

export function panelSegments(extent: number, vectors: number, lanes: number): PanelSegment[] {
  const width = vectors * lanes;
  const full = Math.floor(extent / width);
  const rest = extent - full * width;
  const segments: PanelSegment[] = [];
  if (full > 0) segments.push({ lanes: new Array<number>(vectors).fill(lanes), count: full, from: 0 });
  if (rest > 0) {
    const list = new Array<number>(Math.floor(rest / lanes)).fill(lanes);
    if (rest % lanes > 0) list.push(rest % lanes);
    segments.push({ lanes: list, count: 1, from: full * width });
  }
  return segments;
}

/** Cycles of one step of k: multiply-adds, loads, or the latency of a chain of multiply-adds. */
function tileCycles(rows: number, vectors: number): number {
  const work = rows * vectors;
  return Math.max(work / 2, (rows + vectors) / 2, 4) + 0.25;
}

function cycles(rows: readonly RowSegment[], panels: readonly PanelSegment[], perRow: number): number {
  let sum = 0;
  for (const row of rows)
    for (const panel of panels) sum += row.count * panel.count * tileCycles(row.size * perRow, panel.lanes.length);
  return sum;
}

/** Lines of one set of the first cache that a tile's rows may fill and leave room for the panel. */
const CACHE_WAYS = 8;
/** Addresses this far apart fall into one set. */
const SET_SPAN = 4096;

/** How many of `rows` lines, `stride` bytes apart, fall into one set of the first cache. */
function linesInOneSet(stride: number, rows: number): number {
  let [a, b] = [SET_SPAN, Math.abs(stride) || SET_SPAN];
  while (b > 0) [a, b] = [b, a % b];
  return Math.ceil(rows / (SET_SPAN / Math.max(64, a)));
}

export function chooseTiling(problem: Problem, vectorDim: number, caps: Capabilities): Tiling {
  const guarded = (d: number) => problem.a.guards.some((guard) => guard.coefs[d] !== 0);
  const inside = problem.window?.inside ?? [];
  const perRow = extentOf(problem, inside);
  const m = dimsOf(problem, 'm').filter((d) => !inside.includes(d));
  const candidates: (number | null)[] = m.filter((d) => !guarded(d));
  if (candidates.length === 0) candidates.push(null);
  let best: { tiling: Tiling; cost: number } | null = null;
  for (const rowDim of candidates) {
    const extent = rowDim === null ? 1 : problem.dims[rowDim].extent;
    const others = extentOf(problem, m) / extent;
    for (let vectors = 1; vectors <= caps.tile.vectors; vectors++) {
      for (let most = 1; most <= caps.tile.rows; most++) {
        const work = most * perRow * vectors;
        const fits = work <= caps.tile.accumulators && work + vectors + 1 <= caps.vectorRegisters;
        if (!fits && most * vectors > 1) continue;
        const rows = rowSegments(extent, most);
        const panels = panelSegments(problem.dims[vectorDim].extent, vectors, caps.lanes);
        // Rows that stand close together share cache lines: prefer them slightly.
        const far = rowDim !== null && problem.a.coefs[rowDim] > 1024 ? 1.03 : 1;
        const crowded =
          rowDim !== null && linesInOneSet(problem.a.coefs[rowDim] * bytesOf(problem), most) > CACHE_WAYS ? 1.2 : 1;
        const cost = cycles(rows, panels, perRow) * others * far * crowded;
        if (best === null || cost < best.cost * 0.999)
          best = { tiling: { rowDim, vectorDim, rows, panels, width: vectors * caps.lanes }, cost };
      }
    }
  }
  return (best as { tiling: Tiling }).tiling;
}

export interface KBlocks {
  /** Dims walked outside of the tiles, outermost first. */
  readonly outer: readonly number[];
  readonly inner: readonly number[];
  /** Steps of a block of the first inner dim where it is cut, else its extent. */
  readonly cut: number;
  /** Steps of a block in all. */
  readonly steps: number;
}

/** Which dims of k are walked inside of a register tile. */
export function chooseKBlocks(problem: Problem, caps: Capabilities): KBlocks {
  const k = dimsOf(problem, 'k');
  const whole = Math.floor((PANEL_SHARE * caps.cacheBytes.l2) / (bytesOf(problem) * 3 * caps.lanes));
  if (extentOf(problem, k) <= whole || problem.window)
    return { outer: [], inner: k, cut: 0, steps: extentOf(problem, k) };
  let first = k.length - 1;
  let steps = problem.dims[k[first]].extent;
  while (first > 0 && steps * problem.dims[k[first - 1]].extent <= K_BLOCK * 1.5)
    steps *= problem.dims[k[--first]].extent;
  // A few steps would pay for their partial sums alone (the places of one image): several of the next dim join them.
  const next = k[first - 1];
  if (first > 0 && steps * 2 <= K_BLOCK && !problem.a.guards.some((guard) => guard.coefs[next] !== 0)) {
    const { extent } = problem.dims[next];
    const parts = Math.ceil((steps * extent) / K_BLOCK);
    return {
      outer: k.slice(0, first - 1),
      inner: k.slice(first - 1),
      cut: Math.ceil(extent / parts),
      steps: steps * Math.ceil(extent / parts),
    };
  }
  const inner = k.slice(first);
  const { extent } = problem.dims[inner[0]];
  const parts = inner.length === 1 && extent > whole ? Math.ceil(extent / CUT) : 1;
  const cut = parts > 1 ? Math.ceil(extent / parts) : 0;
  return { outer: k.slice(0, first), inner, cut, steps: cut || steps };
}

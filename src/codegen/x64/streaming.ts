/**
 * Which stores of a region may go past the caches (vmovntps). An ordinary store first reads the line that it overwrites, so a
 * kernel that writes much moves three bytes for two. A streamed one needs whole lines at addresses that are multiples of 64:
 * relative to the buffer this is proven here; that the buffer itself lies so is asked when the region is entered. Knows kernel IR only.
 */
import type { Affine, Instr, Kernel, Node, Region } from '../../kernel/ir.ts';
import { elemBytes } from '../../kernel/ir.ts';

type Store = Extract<Instr, { op: 'store' }>;

export interface Streams {
  readonly stores: ReadonlySet<Store>;
  /** Indices of the parameters that they write. */
  readonly params: readonly number[];
}

const LINE = 64;
/**
 * Bytes of a buffer from which on what was written first has left every cache before the kernel ends, so that whoever reads it
 * next finds nothing there anyway.
 */
const BEYOND_CACHES = 32 * 2 ** 20;

/** A whole number known as `rest` modulo `modulus`; 0 as a modulus: known exactly. */
interface Residue {
  readonly rest: number;
  readonly modulus: number;
}

export function streamsOf(kernel: Kernel, region: Region): Streams {
  const large = new Set(
    kernel.params.flatMap(({ access, elem, size }, i) =>
      access === 'write' && size * elemBytes[elem] >= BEYOND_CACHES ? [i] : [],
    ),
  );
  if (large.size === 0) return { stores: new Set(), params: [] };
  // What a kernel reads back is better kept near.
  for (const { body } of kernel.regions) forEachInstr(body, (i) => i.op === 'load' && large.delete(i.buf));
  const stores = new Set<Store>();
  const known = new Map<number, Residue>([[region.v.id, { rest: 0, modulus: 1 }]]);
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      if (node.op === 'loop') {
        const from = node.lo.length === 1 ? residue(node.lo[0], known) : { rest: 0, modulus: 1 };
        known.set(node.v.id, { rest: from.rest, modulus: gcd(from.modulus, node.step) });
        visit(node.body);
      } else if (node.op === 'store' && large.has(node.buf) && fillsLines(kernel, node, known)) stores.add(node);
    }
  };
  visit(region.body);
  return { stores, params: [...new Set([...stores].map(({ buf }) => buf))] };
}

function fillsLines(kernel: Kernel, store: Store, known: ReadonlyMap<number, Residue>): boolean {
  const bytes = elemBytes[kernel.params[store.buf].elem];
  if (store.stride !== 1 || store.lanes * bytes !== LINE) return false;
  if (store.dyn && (store.dyn.scale * bytes) % LINE !== 0) return false;
  const { rest, modulus } = residue(store.at, known);
  return (rest * bytes) % LINE === 0 && (modulus * bytes) % LINE === 0;
}

function residue({ offset, terms }: Affine, known: ReadonlyMap<number, Residue>): Residue {
  let [rest, modulus] = [offset, 0];
  for (const { v, coef } of terms) {
    const of = known.get(v.id) ?? { rest: 0, modulus: 1 };
    rest += coef * of.rest;
    modulus = gcd(modulus, coef * of.modulus);
  }
  return { rest, modulus };
}

function gcd(a: number, b: number): number {
  let [x, y] = [Math.abs(a), Math.abs(b)];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

function forEachInstr(nodes: readonly Node[], visit: (instr: Instr) => void): void {
  for (const node of nodes) {
    if (node.op === 'loop') forEachInstr(node.body, visit);
    else visit(node);
  }
}

/**
 * Which addresses are kept in locals. Accesses of one buffer whose addresses differ by a constant share a pointer; the constant
 * becomes the instruction's own offset. A pointer lives in the innermost loop that it depends on: it is derived from the
 * pointer of the outer terms where that loop is entered and stepped at the end of each iteration. It emits nothing.
 */
import type { Affine, Instr, Kernel, LoopVar, Region, Term } from '../../kernel/ir.ts';
import { elemBytes } from '../../kernel/ir.ts';
import type { Analysis, Block } from './analysis.ts';
import { partOf } from './unroll.ts';

export type Access = Extract<Instr, { op: 'load' | 'store' }>;

export interface Pointer {
  readonly buf: number;
  /** Bytes for each variable, from the outermost to the innermost. */
  readonly terms: readonly Term[];
  /** Bytes: what the pointer holds beyond buffer and terms. */
  readonly offset: number;
  /** The local; given by the emitter. */
  local: number;
  /** What it is derived from: the pointer of all terms but the last; null for the buffer's address itself. */
  readonly parent: Pointer | null;
}

export interface PointerPlan {
  /** For each access, its pointer and the bytes to add, which are not negative. */
  readonly of: ReadonlyMap<Access, { pointer: Pointer; offset: number }>;
  /** Pointers by the variable they step with; those without terms are under null. A parent precedes its children. */
  readonly byVariable: ReadonlyMap<LoopVar | null, readonly Pointer[]>;
}

interface Group {
  readonly pointer: Pointer;
  readonly block: Block;
}

export function planPointers(kernel: Kernel, region: Region, analysis: Analysis): PointerPlan {
  const depth = new Map<number, number>([[region.v.id, 0]]);
  for (const block of analysis.blocks) if (block.loop) depth.set(block.loop.v.id, block.depth);
  const pointers = new Map<string, Pointer[]>();
  const byVariable = new Map<LoopVar | null, Pointer[]>();
  const of = new Map<Access, { pointer: Pointer; offset: number }>();
  const groups = new Map<string, Group[]>();

  const sorted = (at: Affine, bytes: number): Term[] =>
    at.terms
      .map((term) => ({ v: term.v, coef: term.coef * bytes }))
      .sort((a, b) => depth.get(a.v.id)! - depth.get(b.v.id)!);
  const keyOf = (buf: number, terms: readonly Term[]): string =>
    `${buf}:${terms.map((term) => `${term.v.id}*${term.coef}`).join(',')}`;

  const make = (buf: number, terms: readonly Term[], offset: number): Pointer => {
    const key = keyOf(buf, terms);
    const last = terms.length > 0 ? terms[terms.length - 1].v : null;
    // Any pointer of the outer terms will do: what they differ by is known.
    const parent = terms.length === 0 ? null : parentOf(buf, terms.slice(0, -1));
    const pointer: Pointer = { buf, terms, offset, local: -1, parent };
    append(pointers, key, pointer);
    append(byVariable, last, pointer);
    return pointer;
  };
  const parentOf = (buf: number, terms: readonly Term[]): Pointer =>
    pointers.get(keyOf(buf, terms))?.[0] ?? make(buf, terms, 0);

  // Blocks come outer before inner, so a group that an access may join is there already.
  for (const block of analysis.blocks) {
    const found = new Map<string, { terms: Term[]; buf: number; lowest: number; accesses: [Access, number][] }>();
    for (const node of block.nodes) {
      if (node.op !== 'load' && node.op !== 'store') continue;
      const bytes = elemBytes[kernel.params[node.buf].elem];
      const terms = sorted(node.at, bytes);
      const key = keyOf(node.buf, terms);
      let entry = found.get(key);
      if (!entry) found.set(key, (entry = { terms, buf: node.buf, lowest: Number.POSITIVE_INFINITY, accesses: [] }));
      const offset = node.at.offset * bytes;
      // A negative stride reaches below its first element.
      const low = offset + Math.min(0, node.stride * (node.lanes - 1)) * bytes;
      entry.lowest = Math.min(entry.lowest, low);
      entry.accesses.push([node, offset]);
    }
    for (const [key, { terms, buf, lowest, accesses }] of found) {
      // The pointer itself must be an address that is really accessed whenever these are: then it cannot have wrapped
      // around below zero, where adding the offset would not wrap back. An outer block's access gives that promise.
      const known = groups
        .get(key)
        ?.find(
          (g) =>
            (g.pointer.offset <= lowest && encloses(g.block, block)) ||
            (g.pointer.offset === lowest && isTailOf(block, g.block)),
        );
      const pointer = known?.pointer ?? make(buf, terms, lowest);
      if (!known) append(groups, key, { pointer, block });
      for (const [access, offset] of accesses) of.set(access, { pointer, offset: offset - pointer.offset });
    }
  }
  return { of, byVariable };
}

function encloses(outer: Block, inner: Block): boolean {
  for (let at: Block | null = inner; at; at = at.parent) if (at === outer) return true;
  return false;
}

/** The rest of an unrolled loop goes on with the pointers of the main part. */
function isTailOf(block: Block, main: Block): boolean {
  return block.loop !== null && partOf(block.loop) === 'tail' && main.loop?.v.id === block.loop.v.id;
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

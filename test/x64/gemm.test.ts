/** The register tile that everything fast is made of: no spill, nothing but loads and multiply-adds inside. */
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../src/kernel/ir.ts';
import { constant, plus, variable } from '../../src/kernel/ir.ts';
import { allLanes, builder, disagreement, generate, reason, someFloats, zeros } from './harness.ts';

/** C tiles [rows x lanes vectors] = A panels [depth][rows] x one B panel [depth][lanes vectors]. */
function tile(lanes: number, rows: number, vectors: number, depth: number, panels: number): Kernel {
  const k = builder(lanes);
  const a = k.param('a', 'f32', rows * depth * panels, 'read');
  const b = k.param('b', 'f32', lanes * vectors * depth, 'read');
  const c = k.param('c', 'f32', rows * lanes * vectors * panels, 'write');
  k.region('all', 1, () => {
    k.loop('panel', 0, panels, (panel) => {
      const sums = Array.from({ length: rows * vectors }, () => k.acc(k.f32(0)));
      k.loop('k', 0, depth, (d) => {
        const element = (r: number) =>
          k.load(a, plus(plus(variable(panel, rows * depth), variable(d, rows)), constant(r)), 0, 1);
        const column = (j: number) => k.load(b, plus(variable(d, lanes * vectors), constant(lanes * j)), 1, lanes);
        // The fewer of the two stay in registers, the others come one by one.
        if (rows < vectors) {
          const elements = Array.from({ length: rows }, (_, r) => element(r));
          for (let j = 0; j < vectors; j++) {
            const x = column(j);
            elements.forEach((e, r) => {
              k.fmaAcc(sums[r * vectors + j], e, x);
            });
          }
          return;
        }
        const columns = Array.from({ length: vectors }, (_, j) => column(j));
        for (let r = 0; r < rows; r++) {
          const e = element(r);
          columns.forEach((x, j) => {
            k.fmaAcc(sums[r * vectors + j], e, x);
          });
        }
      });
      sums.forEach((sum, i) => {
        k.store(c, plus(variable(panel, rows * lanes * vectors), constant(lanes * i)), 1, lanes, sum);
      });
    });
  });
  return k.build(`tile ${rows}x${vectors}`, { flops: 2 * lanes * rows * vectors * depth * panels, bytes: 0 });
}

// Skipped where the x64 device cannot run (another processor, no koffi).
describe.skipIf(reason !== null)('x64 register tiles', () => {
  const shapes = [
    [8, 6, 2],
    [8, 4, 3],
    [8, 4, 2],
    [8, 3, 4],
    [8, 12, 1],
    [16, 8, 3],
    [16, 9, 3],
    [16, 14, 2],
    [16, 6, 4],
  ].filter(([lanes]) => allLanes.includes(lanes));
  it.each(shapes)('%i lanes, %i x %i: no spill, and the inner loop holds only what it must', (lanes, rows, vectors) => {
    const { listing } = generate([tile(lanes, rows, vectors, 64, 2)], true);
    expect(listing).toContain(': 0 spills');
    const inner = innerLoop(listing ?? '');
    const sums = inner.filter((line) => line.startsWith('vfmadd231ps')).length;
    const iterations = sums / (rows * vectors);
    expect([1, 2, 3, 4]).toContain(iterations);
    // A vector that only one row uses is a memory operand.
    const loads = inner.filter((line) => /^vmovups|^vbroadcastss/.test(line)).length;
    expect(loads).toBe(iterations * (rows + vectors));
    // Two pointers, one counter, one jump.
    expect(inner.length).toBeLessThanOrEqual(sums + loads + 4);
    expect(inner.filter((line) => line.includes('rsp'))).toEqual([]);
  });

  it('agrees with the interpreter', () => {
    for (const [lanes, rows, vectors] of shapes) {
      const kernel = tile(lanes, rows, vectors, 9, 3);
      const [a, b, c] = kernel.params.map((p) => p.size);
      const small = (n: number) => someFloats(n, n).map((x) => Math.round(Math.min(9, Math.max(-9, x || 0))));
      expect(disagreement(kernel, [small(a), small(b), zeros('f32', c)])).toBeNull();
    }
  });
});

/** Instructions between the head of the last backward jump's loop with multiply-adds and that jump. */
function innerLoop(listing: string): string[] {
  const lines = listing.split('\n').map((line) => line.trim());
  for (let end = 0; end < lines.length; end++) {
    const jump = /^jne (L\d+)$/.exec(lines[end]);
    const begin = jump ? lines.indexOf(`${jump[1]}:`) : -1;
    if (begin >= 0 && begin < end) return lines.slice(begin + 1, end + 1);
  }
  return [];
}

/** Products whose chunks copy the panels of B that they own: against the definition, in every orientation, for any number of threads. */
import { describe, expect, it } from 'vitest';
import type { Value } from '../../graph/graph.ts';
import type { Capabilities } from '../../kernel/capabilities.ts';
import { interpretProgram } from '../../kernel/interpreter.ts';
import { apply } from '../../ops/apply.ts';
import { add, matMul, relu } from '../../ops/build.ts';
import { evaluateGraph } from '../../ops/evaluate.ts';
import type { NDArray } from '../../ops/row.ts';
import { compile } from '../index.ts';

/** Caches so small that a product of a hundred rows is a large one. */
function capabilities(threads: number): Capabilities {
  return {
    target: 'small',
    lanes: 4,
    vectorRegisters: 16,
    tile: { rows: 6, vectors: 4, accumulators: 12 },
    fma: true,
    threads,
    cacheBytes: { l1: 1024, l2: 16384 },
    native: new Set(),
  };
}

function noise(shape: readonly number[], seed: number): NDArray {
  const data = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i * 1.7 + seed));
  return { dtype: 'float32', shape, data };
}

interface Product {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** relu(a b + bias) or a b, and what was compiled. */
function product({ m, k, n, transposeA = false, transposeB = false }: Product, threads: number, bias: boolean) {
  const arrays = [
    noise(transposeA ? [k, m] : [m, k], 1),
    noise(transposeB ? [n, k] : [k, n], 2),
    ...(bias ? [noise([1, n], 3)] : []),
  ];
  const inputs: Value[] = arrays.map(({ dtype, shape }) => apply('parameter', [], { dtype, shape: [...shape] })[0]);
  const raw = matMul(inputs[0], inputs[1], transposeA, transposeB);
  const outputs = [bias ? relu(add(raw, inputs[2])) : raw];
  const program = compile({ name: 'test', inputs, outputs, donations: new Map(), capabilities: capabilities(threads) });
  const actual = new Float32Array(m * n);
  interpretProgram(
    program,
    arrays.map((array) => array.data.slice()),
    [actual],
  );
  const [expected] = evaluateGraph(outputs, new Map(inputs.map((value, i) => [value, arrays[i]])));
  return { names: program.kernels.map((kernel) => kernel.name), actual, expected: expected.data };
}

const products: Product[] = [
  { m: 50, k: 130, n: 64 },
  { m: 49, k: 131, n: 77 },
  { m: 49, k: 131, n: 95, transposeA: true },
  { m: 50, k: 129, n: 67, transposeB: true },
  // Several panels at a time, where one thread has all of them.
  { m: 50, k: 30, n: 211 },
  // k in blocks, the last one shorter; more rows than a tile copies on the way, or too few to copy at all.
  { m: 48, k: 1031, n: 67 },
  { m: 260, k: 70, n: 131 },
  { m: 5, k: 1031, n: 81 },
];

describe('chunks that own panels', () => {
  for (const shape of products) {
    const { m, k, n, transposeA, transposeB } = shape;
    it(`${m} x ${k} x ${n}${transposeA ? ', a transposed' : ''}${transposeB ? ', b transposed' : ''}`, () => {
      for (const bias of [false, true]) {
        const { names, actual, expected } = product(shape, 2, bias);
        expect(names.filter((name) => name.includes('packB'))).toEqual([]);
        for (let i = 0; i < actual.length; i++) {
          expect(Math.abs(actual[i] - Number(expected[i]))).toBeLessThan(1e-3);
        }
        // Panels are too few for 64 threads, which share rows and, where it pays, a copy made before.
        if (bias) for (const threads of [1, 64]) expect(product(shape, threads, bias).actual).toEqual(actual);
      }
    });
  }

  it('are too few for many threads, which share one copy', () => {
    const { names } = product({ m: 260, k: 70, n: 131 }, 64, false);
    expect(names.filter((name) => name.includes('packB'))).toHaveLength(1);
  });
});

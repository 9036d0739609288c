/** What every target must do beyond the samples: special values, bad indices, programs that are compiled once. */
import { beforeAll, describe, expect, it } from 'vitest';
import { apply, gather, parameter } from '../../src/ops/build.ts';
import type { NDArray, OpRow } from '../../src/ops/row.ts';
import { table } from '../../src/ops/table.ts';
import * as api from '../../src/tensor/api/index.ts';
import { registerBackend, setBackend } from '../../src/tensor/backends.ts';
import { memory } from '../../src/tensor/index.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { referenceBackend } from '../../src/tensor/reference-backend.ts';
import { wasmBackend } from '../../src/tensor/wasm-backend.ts';
import { x64Backend } from '../../src/tensor/x64-backend.ts';
import { newArray } from '../../src/types/dtype.ts';
import type { Target } from './targets.ts';
import { availableTargets, difference, reference } from './targets.ts';

let targets: Target[] = [];

beforeAll(async () => {
  targets = await availableTargets();
});

const specials: { readonly [dtype: string]: readonly number[] } = {
  float32: [
    0,
    -0,
    1,
    -1,
    0.5,
    -2.5,
    3.5,
    1e-20,
    -1e20,
    88,
    -88,
    2 ** 31,
    Infinity,
    -Infinity,
    NaN,
    1e-40,
    -1e-45,
    3.4e38,
    -3.4e38,
    16777217,
  ],
  int32: [0, 1, -1, 2, -3, 31, 2 ** 31 - 1, -(2 ** 31)],
  bool: [0, 1],
};

/** Rows whose accuracy at huge or infinite arguments is not promised, with what remains. */
const leaveOut: { readonly [row: string]: (x: number) => boolean } = {
  sin: (x) => Math.abs(x) > 100,
  cos: (x) => Math.abs(x) > 100,
  // a - b * floor(a / b) says nothing where the quotient has no fraction left.
  mod: (x) => Math.abs(x) > 1e6 || Math.abs(x) < 1e-6,
  pow: (x) => Math.abs(x) > 100,
};

/** All combinations of special values for the inputs of an elementwise row. */
function combinations(row: OpRow, dtypes: readonly string[]): NDArray[] {
  const allowed = dtypes.map((dtype) => specials[dtype].filter((x) => !leaveOut[row.name]?.(x)));
  const size = allowed.reduce((n, list) => n * list.length, 1);
  return allowed.map((list, i) => {
    const inner = allowed.slice(i + 1).reduce((n, other) => n * other.length, 1);
    const dtype = dtypes[i] as NDArray['dtype'];
    const data = newArray(dtype, size);
    for (let k = 0; k < size; k++) data[k] = list[Math.floor(k / inner) % list.length];
    return { dtype, shape: [size], data };
  });
}

/** The first zero of the wrong sign, in words. */
function wrongZero(x: NDArray, y: NDArray): string | null {
  const at = y.data.findIndex((wanted, i) => wanted === 0 && !Object.is(x.data[i], wanted));
  if (at < 0) return null;
  const show = (n: number) => (Object.is(n, -0) ? '-0' : String(n));
  return `element ${at} is ${show(x.data[at])}, not ${show(y.data[at])}`;
}

const elementwise = Object.values<OpRow>(table).filter((row) => row.lowering.tag === 'map');

describe.each(elementwise.map((row) => [row.name, row] as const))('special values of %s', (_name, row) => {
  const kinds = new Map(
    row.samples.map((sample) => {
      const dtypes = sample.inputs.map((input) => input.dtype);
      return [dtypes.join() + JSON.stringify(sample.attrs), { dtypes, attrs: sample.attrs }];
    }),
  );
  it.each([...kinds])('%s', (_key, { dtypes, attrs }) => {
    const arrays = combinations(row, dtypes);
    const inputs = arrays.map((array) => parameter(array.dtype, array.shape));
    const outputs = apply(row.name, inputs, attrs);
    const feeds = new Map(inputs.map((input, i) => [input, arrays[i]]));
    const [wanted] = reference.run(outputs, feeds);
    const problems: string[] = [];
    for (const target of targets) {
      const [result] = target.run(outputs, feeds);
      const problem =
        difference(result, wanted, { absolute: row.tolerance?.absolute ?? 0, relative: 2e-6 }) ??
        wrongZero(result, wanted);
      if (!problem) continue;
      const at = Number(/element (\d+)/.exec(problem)?.[1] ?? 0);
      problems.push(`${target.name}: ${row.name}(${arrays.map((array) => array.data[at]).join(', ')}): ${problem}`);
    }
    expect(problems).toEqual([]);
  });
});

describe('bad indices', () => {
  it.each([-1, 3, 2 ** 31 - 1])('gather refuses %d on every target', (index) => {
    const x = parameter('float32', [3, 4]);
    const indices = parameter('int32', [2]);
    const y = gather(x, indices);
    const feeds = new Map([
      [x, { dtype: 'float32', shape: [3, 4], data: new Float32Array(12) } as NDArray],
      [indices, { dtype: 'int32', shape: [2], data: Int32Array.of(1, index) } as NDArray],
    ]);
    for (const target of [reference, ...targets]) {
      expect(() => target.run([y], feeds), target.name).toThrow(new RegExp(`${index}`));
    }
  });
});

describe.each(['reference', 'x64', 'wasm'] as const)('programs on %s', (name) => {
  it('are compiled once for each structure', async () => {
    registerBackend('reference', async () => referenceBackend());
    registerBackend('x64', x64Backend);
    registerBackend('wasm', wasmBackend);
    if (!(await setBackend(name))) return;
    const step = (seed: number) => {
      const x: Tensor = api.tensor([seed, 2, 3, 4], [2, 2]);
      return x.matMul(x.transpose()).add(seed).relu().softmax().sum(1).dataSync();
    };
    const first = step(1.25);
    const { compilations } = memory();
    for (let seed = 2; seed < 6; seed++) step(seed + 0.25);
    expect(memory().compilations).toBe(compilations);
    expect(first.length).toBe(2);
  });
});

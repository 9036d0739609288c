/** Kernels of 64-bit lanes as machine code, bit for bit against the interpreter. */
import { describe, expect, it } from 'vitest';
import { interpretKernel, type Memory } from '../../src/kernel/interpreter.ts';
import { verifyKernel } from '../../src/kernel/verifier.ts';
import type { TypedArray } from '../../src/types/dtype.ts';
import { accessCases, conversionCases, functionCases, laneCases, maskCases, type WideCase } from '../wide-kernels.ts';
import { allLanes, device, generate, readBack, reason, storageOf } from './harness.ts';

/** All kernels of a list as one program's code, each run on its own buffers. */
function check(cases: readonly WideCase[]): void {
  const image = generate(cases.map(({ kernel }) => kernel));
  for (const [at, { name, kernel, buffers }] of cases.entries()) {
    verifyKernel(kernel);
    const specs = kernel.params.map(({ elem, size }) => ({ elem, size, kind: 'input', offset: 0 }) as const);
    const program = {
      name,
      kernels: [kernel],
      buffers: specs,
      inputs: specs.map((_, i) => i),
      outputs: [],
      steps: [{ kernel: 0, args: specs.map((_, i) => i), stage: 0 }],
      arenaBytes: 0,
      sites: [],
    };
    const executable = device(1).load(program, { code: image.code, entries: [image.entries[at]] });
    const expected = buffers.map((buffer): Memory => buffer.slice());
    interpretKernel(kernel, expected);
    try {
      const storages = buffers.map((buffer) => storageOf(buffer as TypedArray));
      executable.run(storages, []);
      storages.forEach((storage, i) => {
        const actual = readBack(storage, specs[i].elem, specs[i].size);
        for (let l = 0; l < actual.length; l++) {
          if (Object.is(actual[l], expected[i][l])) continue;
          expect.fail(`${name}, ${kernel.params[i].name}[${l}]: ${actual[l]} instead of ${expected[i][l]}`);
        }
      });
    } finally {
      executable.dispose();
    }
  }
}

// Skipped where the x64 device cannot run (another processor, no koffi).
describe.skipIf(reason !== null)('64-bit lanes on x64', () => {
  const counts = allLanes.filter((lanes) => lanes <= allLanes[allLanes.length - 1] / 2);
  // One lane is written as two are.
  describe.each(counts.filter((lanes) => lanes > 1))('%i lanes', (lanes) => {
    it('functions', () => check(functionCases(lanes)));
    it('conversions', () => check(conversionCases(lanes)));
    it('masks', () => check(maskCases(lanes)));
  });
  describe.each(counts)('%i lanes', (lanes) => {
    it('accesses', () => check(accessCases(lanes)));
    it('across lanes', () => check(laneCases(lanes)));
  });
});

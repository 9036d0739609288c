/** Loops whose end comes from data: the interpreter says what is right, machine code and wasm agree. */
import { describe, expect, it } from 'vitest';
import { runInterpreter, runWasm } from '../../src/codegen/wasm/testing.ts';
import { KernelBuilder } from '../../src/kernel/builder.ts';
import { kernelKey } from '../../src/kernel/key.ts';
import { constant, variable } from '../../src/kernel/ir.ts';
import { printKernel } from '../../src/kernel/printer.ts';
import { verifyKernel } from '../../src/kernel/verifier.ts';
import { reason, runNative } from '../x64/harness.ts';

/** out[i] = 1 for i below n[0], counted from 3; total[0] counts what ran, in an accumulator. */
function counting(bounds: number) {
  const b = new KernelBuilder(4);
  const n = b.param('n', 'i32', 1, 'read');
  const out = b.param('out', 'f32', 20, 'write');
  const total = b.param('total', 'i32', 1, 'write');
  b.region('r', 1, () => {
    const sum = b.acc(b.i32(0));
    const limit = b.load(n, constant(0), 0, 1);
    const hi = bounds === 1 ? 20 : [constant(20), constant(17)];
    b.loop(
      'i',
      3,
      hi,
      (v) => {
        b.store(out, variable(v), 1, 1, b.f32(1));
        b.set(sum, b.binary('add', sum, b.i32(1)));
      },
      { until: limit },
    );
    b.store(total, constant(0), 1, 1, sum);
  });
  return b.build('counting', { flops: 0, bytes: 0 });
}

/** Halves x until it is below 1: at most 40 times, and an odd count of halvings is marked by a branch. */
function halving() {
  const b = new KernelBuilder(4);
  const x = b.param('x', 'f32', 1, 'readwrite');
  const steps = b.param('steps', 'i32', 2, 'write');
  b.region('r', 1, () => {
    const value = b.acc(b.load(x, constant(0), 0, 1));
    const count = b.acc(b.i32(0));
    b.loop('step', 0, 40, () => {
      b.when(b.compare('ge', value, b.f32(1)), () => {
        b.set(value, b.binary('mul', value, b.f32(0.5)));
        b.set(count, b.binary('add', count, b.i32(1)));
      });
    });
    const odd = b.acc(b.i32(0));
    b.when(b.compare('ne', b.binary('and', count, b.i32(1)), b.i32(0)), () => b.set(odd, b.i32(1)));
    b.store(x, constant(0), 1, 1, value);
    b.store(steps, constant(0), 1, 1, count);
    b.store(steps, constant(1), 1, 1, odd);
  });
  return b.build('halving', { flops: 0, bytes: 0 });
}

const counts = [-(2 ** 31), -1, 0, 2, 3, 4, 7, 17, 19, 20, 21, 2 ** 31 - 1];

describe('a loop with an end from data', () => {
  it.each([1, 2])('runs up to the least of its bounds (%d)', (bounds) => {
    const kernel = counting(bounds);
    verifyKernel(kernel);
    for (const n of counts) {
      const buffers = [Int32Array.of(n), new Float32Array(20), new Int32Array(1)];
      const wanted = Math.max(0, Math.min(n, bounds === 1 ? 20 : 17) - 3);
      const interpreted = runInterpreter(kernel, buffers).buffers;
      expect(interpreted[2][0]).toBe(wanted);
      expect([...interpreted[1]].filter((x) => x === 1).length).toBe(wanted);
      expect(runWasm(kernel, buffers).buffers).toEqual(interpreted);
      if (!reason) expect(runNative(kernel, buffers)).toEqual(interpreted);
    }
  });

  it('is how a kernel says if', () => {
    const kernel = halving();
    verifyKernel(kernel);
    for (const x of [0.5, 1, 3, 1000, 2 ** 39, Number.NaN]) {
      const buffers = [Float32Array.of(x), new Int32Array(2)];
      const interpreted = runInterpreter(kernel, buffers).buffers;
      const steps = x >= 1 ? Math.floor(Math.log2(x)) + 1 : 0;
      expect([...interpreted[1]]).toEqual([steps, steps % 2]);
      expect(runWasm(kernel, buffers).buffers).toEqual(interpreted);
      if (!reason) expect(runNative(kernel, buffers)).toEqual(interpreted);
    }
  });

  it('is printed, keyed and verified', () => {
    expect(printKernel(counting(1))).toContain('for i in 3..min(20, %2)');
    const plain = new KernelBuilder(8);
    const limited = new KernelBuilder(8);
    for (const b of [plain, limited]) {
      b.region('r', 1, () => {
        const one = b.i32(1);
        b.loop('i', 0, 4, () => b.i32(3), b === limited ? { until: one } : {});
      });
    }
    const [a, c] = [plain, limited].map((b) => b.build('k', { flops: 0, bytes: 0 }));
    expect(kernelKey(a)).not.toBe(kernelKey(c));
    const wrong = new KernelBuilder(8);
    wrong.region('r', 1, () => wrong.loop('i', 0, 4, () => {}, { until: wrong.f32(2) }));
    expect(() => verifyKernel(wrong.build('k', { flops: 0, bytes: 0 }))).toThrow(/i32 is needed/);
  });
});

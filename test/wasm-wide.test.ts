/** Kernels of 64-bit lanes as WebAssembly, bit for bit against the interpreter. */
import { describe, expect, it } from 'vitest';
import { runInterpreter, runWasm } from '../src/codegen/wasm/testing.ts';
import type { TypedArray } from '../src/types/dtype.ts';
import { accessCases, conversionCases, functionCases, laneCases, maskCases, type WideCase } from './wide-kernels.ts';

function check(cases: readonly WideCase[]): void {
  for (const { name, kernel, buffers } of cases) {
    const given = buffers as readonly TypedArray[];
    const expected = runInterpreter(kernel, given);
    const last = kernel.params.findIndex(({ access }) => access === 'write');
    const actual = runWasm(kernel, given, last);
    actual.buffers.forEach((buffer, i) => {
      for (let l = 0; l < buffer.length; l++) {
        if (Object.is(buffer[l], expected.buffers[i][l])) continue;
        expect.fail(`${name}, ${kernel.params[i].name}[${l}]: ${buffer[l]} instead of ${expected.buffers[i][l]}`);
      }
    });
  }
}

describe.each([1, 2])('64-bit lanes on wasm, %i', (lanes) => {
  it('functions', () => check(functionCases(lanes)));
  it('conversions', () => check(conversionCases(lanes)));
  it('masks', () => check(maskCases(lanes)));
  it('accesses', () => check(accessCases(lanes)));
  it('across lanes', () => check(laneCases(lanes)));
});

/** Every row of the op table, compiled for this target: the emitted module against the interpreter. */
import { describe, expect, test } from 'vitest';
import type { Value } from '../../graph/graph.ts';
import { compile } from '../../compiler/index.ts';
import { arrayOf, interpretKernel } from '../../kernel/interpreter.ts';
import { elemBytes } from '../../kernel/ir.ts';
import { walkProgram, windowStart } from '../../kernel/loop-walk.ts';
import { apply } from '../../ops/apply.ts';
import type { OpRow, Sample } from '../../ops/row.ts';
import { table } from '../../ops/table.ts';
import { dtypes, newArray, type TypedArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import { legalize } from '../shared/legalize.ts';
import { wasmGenerator } from './generate.ts';
import { runWasm } from './testing.ts';

let state = 4711;
function random(): number {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return state / 2 ** 32;
}

function arrayFor(input: Sample['inputs'][number]): TypedArray {
  const low = input.low ?? -2;
  const span = (input.high ?? 2) - low;
  const { kind } = dtypes[input.dtype];
  const draw = { bool: () => Number(random() < 0.5), int: () => Math.floor(low + random() * span) };
  const data = newArray(input.dtype, sizeOf(input.shape));
  return data.map(kind === 'float' ? () => low + random() * span : draw[kind]);
}

const caps = wasmGenerator.capabilities(2, { relaxed: false });

function check(kind: string, sample: Sample): void {
  const inputs: Value[] = sample.inputs.map(({ dtype, shape }) => apply('parameter', [], { dtype, shape })[0]);
  const outputs = apply(kind, inputs, sample.attrs ?? {});
  const program = compile({ name: kind, inputs, outputs, donations: new Map(), capabilities: caps });
  const buffers = program.buffers.map((spec) => {
    const made = new arrayOf[spec.elem](spec.size) as TypedArray;
    if (spec.data) made.set(spec.data);
    return made;
  });
  program.inputs.forEach((buffer, i) => {
    buffers[buffer].set(arrayFor(sample.inputs[i]));
  });
  const view = (buffer: number, iterations: readonly number[]): TypedArray => {
    const { window, elem, size } = program.buffers[buffer];
    if (!window) return buffers[buffer];
    const start = windowStart(program, buffer, iterations) / elemBytes[elem];
    return buffers[window.of].subarray(start, start + size);
  };
  const once = (step: number, iterations: readonly number[]): void => {
    const kernel = program.kernels[program.steps[step].kernel];
    const args = program.steps[step].args.map((arg) => view(arg, iterations));
    const actual = runWasm(kernel, args).buffers;
    interpretKernel(legalize(kernel, caps), args, [], { fma: false });
    actual.forEach((array, i) => {
      // A carry that is written in place is given twice.
      if (kernel.params[i].access === 'read') return;
      for (let at = 0; at < array.length; at++) {
        if (Object.is(array[at], args[i][at])) continue;
        expect.fail(`${kernel.name}, ${kernel.params[i].name}[${at}]: ${array[at]} instead of ${args[i][at]}`);
      }
    });
  };
  walkProgram(program, {
    run(first, end, iterations) {
      for (let step = first; step < end; step++) once(step, iterations);
    },
    isSet: (flag, iterations) => view(flag, iterations)[0] !== 0,
  });
}

describe('every row, bit for bit', () => {
  for (const [kind, row] of Object.entries(table) as [string, OpRow][]) {
    const samples = row.samples.filter(({ inputs }) => inputs.every(({ shape }) => sizeOf(shape) < 50_000));
    if (samples.length === 0) continue;
    test(kind, () => {
      for (const sample of samples) {
        try {
          check(kind, sample);
        } catch (error) {
          throw new Error(`${JSON.stringify(sample)}: ${(error as Error).message}`, { cause: error });
        }
      }
    });
  }
});

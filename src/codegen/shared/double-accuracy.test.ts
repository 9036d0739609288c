/** How good the functions of doubles are, against the engine's, which are within an ulp themselves; erf's reference within 1e-15. */
import { describe, expect, it } from 'vitest';
import { KernelBuilder } from '../../kernel/builder.ts';
import { erf } from '../../kernel/erf.ts';
import { interpretKernel } from '../../kernel/interpreter.ts';
import { type Reg, variable } from '../../kernel/ir.ts';
import { binary } from '../../kernel/scalar.ts';
import { wasmGenerator } from '../wasm/generate.ts';
import { legalize } from './legalize.ts';

const COUNT = 20_000;
const caps = wasmGenerator.capabilities(1, { relaxed: false });

function compute(inputs: readonly Float64Array[], emit: (b: KernelBuilder, args: Reg[]) => Reg): Float64Array {
  const size = inputs[0].length;
  const b = new KernelBuilder(256);
  const params = inputs.map((_, i) => b.param(`in${i}`, 'f64', size, 'read'));
  const to = b.param('out', 'f64', size, 'write');
  const write = (at: Parameters<typeof b.load>[1], lanes: number) =>
    b.store(
      to,
      at,
      1,
      lanes,
      emit(
        b,
        params.map((param) => b.load(param, at, 1, lanes)),
      ),
    );
  b.region('chunk', Math.floor(size / 256), (v) => write(variable(v, 256), 256));
  const rest = size % 256;
  if (rest > 0) b.region('rest', 1, () => write({ offset: size - rest, terms: [] }, rest));
  const kernel = legalize(b.build('measured', { flops: 0, bytes: 0 }), caps);
  const out = new Float64Array(size);
  interpretKernel(kernel, [...inputs, out]);
  return out;
}

const word = new DataView(new ArrayBuffer(8));

/** |got - exact| in units of the last place of exact; infinite where the kind of number or the sign of zero is wrong. */
function ulps(got: number, exact: number): number {
  if (Object.is(got, exact)) return 0;
  if (!Number.isFinite(exact) || !Number.isFinite(got) || (got === 0 && exact === 0)) return Infinity;
  word.setFloat64(0, exact);
  const exponent = ((word.getUint32(0) >>> 20) & 0x7ff) - 1023;
  return Math.abs(got - exact) / 2 ** Math.max(exponent - 52, -1074);
}

function generator(): () => number {
  let state = 2463534242;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const random = generator();
const span = (low: number, high: number) => Array.from({ length: COUNT }, () => low + (high - low) * random());
const sizes = (low: number, high: number) =>
  span(low, high).map((e, i) => (i % 2 ? 1 : -1) * (1 + random()) * 2 ** Math.floor(e));
const special = [
  0,
  1,
  0.5,
  2,
  22,
  6,
  709.78,
  709.79,
  745.1,
  745.2,
  708.4,
  2 ** -1074,
  2 ** -1022,
  1.7e308,
  Infinity,
  NaN,
];
const all = (...lists: number[][]) => Float64Array.from([...lists.flat(), ...special, ...special.map((x) => -x)]);
const reducible = (lists: Float64Array) => lists.filter((x) => !(Math.abs(x) > 1.3e7) || Math.abs(x) === Infinity);

describe('functions of doubles', () => {
  it.each([
    { fn: 'exp', reference: Math.exp, limit: 2, x: all(span(-745, 709), sizes(-60, 4)) },
    { fn: 'log', reference: Math.log, limit: 2, x: all(span(0.5, 2), sizes(-1070, 1023)) },
    { fn: 'tanh', reference: Math.tanh, limit: 4, x: all(span(-3, 3), sizes(-60, 5)) },
    { fn: 'erf', reference: erf, limit: 10, x: all(span(-7, 7), sizes(-60, 3)) },
    { fn: 'sin', reference: Math.sin, limit: 2.5, x: reducible(all(span(-10, 10), sizes(-60, 23))) },
    { fn: 'cos', reference: Math.cos, limit: 2.5, x: reducible(all(span(-10, 10), sizes(-60, 23))) },
  ] as const)('$fn is within $limit ulp', ({ fn, reference, limit, x }) => {
    const out = compute([x], (b, [a]) => b.unary(fn, a));
    let worst = 0;
    let at = 0;
    x.forEach((value, i) => {
      const error = ulps(out[i], reference(value));
      if (error > worst) [worst, at] = [error, value];
    });
    expect(worst, `at ${at}`).toBeLessThan(limit);
  });

  it('pow is within 4 ulp, and knows every special case', () => {
    const values = [...special, 3, 2.5, 1e30, 2 ** 53, 2 ** 53 - 1, 1023, 1074].flatMap((v) => [v, -v]);
    const bases = sizes(-1000, 1000).map(Math.abs);
    const near = span(0.7, 1.45);
    const x = [...bases, ...near, ...values.flatMap((a) => values.map(() => a))];
    const y = [...bases, ...near].map((a) => ((random() * 2 - 1) * 1020) / Math.log2(a));
    const powers = [...y, ...values.flatMap(() => values)];
    const out = compute([Float64Array.from(x), Float64Array.from(powers)], (b, [p, q]) => b.binary('pow', p, q));
    const reference = binary('pow', 'f64');
    let worst = 0;
    let at = '';
    x.forEach((a, i) => {
      const error = ulps(out[i], reference(a, powers[i]));
      if (error > worst) [worst, at] = [error, `${a} ** ${powers[i]}: ${out[i]}, ${reference(a, powers[i])}`];
    });
    expect(worst, at).toBeLessThan(4);
  });
});

/** jvp, Jacobians, Hessians and checkpoint on graph values: against gradients, differences, and what the memory plan says. */
import { describe, expect, it } from 'vitest';
import { x64Generator } from '../codegen/x64/generate.ts';
import { compile } from '../compiler/index.ts';
import type { Value } from '../graph/graph.ts';
import { topologicalOrder } from '../graph/graph.ts';
import { interpretProgram } from '../kernel/interpreter.ts';
import * as b from '../ops/build.ts';
import * as composite from '../ops/composite.ts';
import { evaluateGraph } from '../ops/evaluate.ts';
import type { NDArray } from '../ops/row.ts';
import { sizeOf } from '../types/shape.ts';
import { uniform } from '../../test/conformance/samples.ts';
import { checkpoint } from './checkpoint.ts';
import { hessian, hvp, jacobianForward, jacobianReverse, jvp } from './forward.ts';
import { gradients } from './gradients.ts';
import { Stack } from './vmap.ts';

const random = uniform(99);

function fed(shape: readonly number[], feeds: Map<Value, NDArray>): Value {
  const value = b.parameter('float32', shape);
  const data = Float32Array.from({ length: sizeOf(shape) }, () => random() * 2 - 1);
  feeds.set(value, { dtype: 'float32', shape, data });
  return value;
}

function numbers(value: Value, feeds: Map<Value, NDArray>): number[] {
  return Array.from(evaluateGraph([value], feeds)[0].data);
}

function close(a: readonly number[], c: readonly number[], tolerance = 1e-5): void {
  expect(a.length).toBe(c.length);
  for (const [i, x] of a.entries()) expect(Math.abs(x - c[i])).toBeLessThanOrEqual(tolerance * (1 + Math.abs(c[i])));
}

describe('jvp', () => {
  it('is the Jacobian times the tangent', () => {
    const feeds = new Map<Value, NDArray>();
    const [x, w, dx] = [fed([3, 4], feeds), fed([4, 2], feeds), fed([3, 4], feeds)];
    const y = b.tanh(b.matMul(x, w));
    const [dy] = jvp([y], [x], [dx]);
    const [j] = jacobianReverse(y, [x]);
    const product = b.matMul(b.reshape(j!, [6, 12]), b.reshape(dx, [12, 1]));
    close(numbers(dy!, feeds), numbers(product, feeds));
  });

  it('leaves no trace of the dummy and computes nothing of the forward graph twice', () => {
    const feeds = new Map<Value, NDArray>();
    const [x, dx] = [fed([5], feeds), fed([5], feeds)];
    const y = b.sin(b.exp(x));
    const [dy] = jvp([y], [x], [dx]);
    const kinds = topologicalOrder([y, dy!]).map((op) => op.kind);
    expect(kinds.filter((kind) => kind === 'exp')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'sin')).toHaveLength(1);
    expect(kinds).not.toContain('constant');
  });

  it('does not move what does not depend on the inputs, and says null', () => {
    const feeds = new Map<Value, NDArray>();
    const [x, other] = [fed([2], feeds), fed([2], feeds)];
    expect(jvp([b.exp(other), b.cast(x, 'int32')], [x], [x])).toEqual([null, null]);
    expect(jvp([b.exp(x)], [x], [null])).toEqual([null]);
  });

  it('leaves no users behind', () => {
    const feeds = new Map<Value, NDArray>();
    const [x, w] = [fed([2, 2], feeds), fed([2, 2], feeds)];
    const y = b.matMul(b.tanh(x), w);
    const before = [x.uses, w.uses, y.op.inputs[0].uses];
    jvp([y], [x], [null]);
    expect([x.uses, w.uses, y.op.inputs[0].uses]).toEqual(before);
  });
});

describe('Jacobians and Hessians', () => {
  const feeds = new Map<Value, NDArray>();
  const x = fed([3], feeds);
  const y = b.mul(b.reshape(b.square(x), [3, 1]), b.reshape(b.sin(x), [1, 3]));

  it('are the same in both modes', () => {
    const [reverse] = jacobianReverse(y, [x]);
    const [forward] = jacobianForward([y], x);
    expect(reverse!.shape).toEqual([3, 3, 3]);
    close(numbers(reverse!, feeds), numbers(forward!, feeds));
  });

  it('are what they should be', () => {
    const [j] = jacobianReverse(b.square(x), [x]);
    const v = feeds.get(x)!.data;
    close(numbers(j!, feeds), [2 * v[0], 0, 0, 0, 2 * v[1], 0, 0, 0, 2 * v[2]]);
    const h = hessian(b.sum(b.mul(b.square(x), x)), x);
    close(numbers(h!, feeds), [6 * v[0], 0, 0, 0, 6 * v[1], 0, 0, 0, 6 * v[2]]);
    expect(hessian(b.sum(x), x)).toBeNull();
  });

  it('give Hessian times vector', () => {
    const v = fed([3], feeds);
    const f = b.sum(y);
    const [hv] = hvp(f, [x], [v]);
    const product = b.matMul(hessian(f, x)!, b.reshape(v, [3, 1]));
    close(numbers(hv!, feeds), numbers(product, feeds));
    const [forward] = jvp([gradients([f], [x])[0]!], [x], [v]);
    close(numbers(hv!, feeds), numbers(forward!, feeds));
  });
});

describe('vmap of custom gradients', () => {
  it('stacks the gradient, and sums it for shared inputs', () => {
    const feeds = new Map<Value, NDArray>();
    const [x, w] = [b.parameter('float32', [4]), fed([4], feeds)];
    const xs = fed([3, 4], feeds);
    const product = b.mul(x, w);
    const y = composite.withGradient(b.sin(product), [x, w], (dy) => [b.scale(dy, 7), b.mul(dy, product)]);
    const stack = new Stack(3);
    stack.give(x, xs);
    const [ys] = stack.of([y]);
    const [dx, dw] = gradients([ys!], [xs, w]);
    close(numbers(dx!, feeds), new Array<number>(12).fill(7));
    close(numbers(dw!, feeds), numbers(b.sum(b.mul(xs, w), 0), feeds));
  });

  it('goes to second order', () => {
    const feeds = new Map<Value, NDArray>();
    const x = b.parameter('float32', [5]);
    const xs = fed([3, 5], feeds);
    const stack = new Stack(3);
    stack.give(x, xs);
    const second = (y: Value, from: Value) => {
      const [g] = gradients([b.sum(b.square(y))], [from]);
      return gradients([b.sum(b.mul(g!, g!))], [from])[0]!;
    };
    const stacked = second(stack.of([composite.softmax(x, 0)])[0]!, xs);
    close(numbers(stacked, feeds), numbers(second(composite.softmax(xs, 1), xs), feeds));
    const inside = new Stack(3);
    inside.give(x, xs);
    close(numbers(inside.of([second(composite.softmax(x, 0), x)])[0]!, feeds), numbers(stacked, feeds));
  });
});

describe('checkpoint', () => {
  /** A chain of segments, each of several wide layers whose activations only its own gradient needs. */
  function chain(segments: number, recompute: boolean) {
    const feeds = new Map<Value, NDArray>();
    const x = fed([32, 16], feeds);
    const weights: Value[] = [];
    let at = x;
    for (let s = 0; s < segments; s++) {
      const start = at;
      for (let layer = 0; layer < 4; layer++) {
        const w = fed([16, 16], feeds);
        weights.push(w);
        at = b.sin(b.scale(b.matMul(at, w), 0.3));
      }
      if (recompute) [at] = checkpoint([at], [start]);
    }
    const loss = b.mean(b.square(at));
    return { loss, grads: gradients([loss], [x, ...weights]).map((g) => g!), feeds };
  }

  const compiled = ({ loss, grads, feeds }: ReturnType<typeof chain>) =>
    compile({
      name: 'chain',
      inputs: [...feeds.keys()],
      outputs: [loss, ...grads],
      donations: new Map(),
      capabilities: x64Generator.capabilities(2),
    });

  it('gives the same values and gradients, compiled too', () => {
    const made = chain(3, true);
    const plain = chain(3, false);
    for (const value of made.feeds.keys()) {
      const twin = [...plain.feeds.keys()][[...made.feeds.keys()].indexOf(value)];
      made.feeds.set(value, plain.feeds.get(twin)!);
    }
    const wanted = evaluateGraph([plain.loss, ...plain.grads], plain.feeds);
    const got = evaluateGraph([made.loss, ...made.grads], made.feeds);
    for (const [i, { data }] of got.entries()) close(Array.from(data), Array.from(wanted[i].data));
    const results = wanted.map(({ data }) => new Float32Array(data.length));
    interpretProgram(
      compiled(made),
      [...made.feeds.values()].map(({ data }) => data),
      results,
      [],
      {
        seed: 1,
        races: true,
      },
    );
    for (const [i, data] of results.entries()) close(Array.from(data), Array.from(wanted[i].data), 1e-4);
  });

  it('needs less memory, and recomputes', () => {
    const [plain, made] = [compiled(chain(6, false)), compiled(chain(6, true))];
    const products = (program: typeof plain) =>
      program.steps.filter(({ kernel }) => program.kernels[kernel].name.includes('matMul'));
    // Each segment but the last (whose gradient comes from a mean) is computed once more: 3 of its 4 products at least.
    expect(products(made).length).toBeGreaterThanOrEqual(products(plain).length + 15);
    expect(made.arenaBytes).toBeLessThan(plain.arenaBytes * 0.6);
  });

  it('goes to second order, through forward mode, and under vmap', () => {
    const feeds = new Map<Value, NDArray>();
    const [x, w, v] = [fed([4], feeds), fed([4], feeds), fed([4], feeds)];
    const f = (from: Value, recompute: boolean) => {
      const y = b.mul(b.sin(b.mul(from, w)), b.exp(from));
      return recompute ? checkpoint([y], [from])[0] : y;
    };
    for (const use of [
      (y: Value) => gradients([b.sum(b.square(gradients([y], [x])[0]!))], [x])[0]!,
      (y: Value) => gradients([y], [w])[0]!,
      (y: Value) => jvp([y], [x], [v])[0]!,
      (y: Value) => hvp(b.sum(y), [x], [v])[0]!,
    ]) {
      close(numbers(use(f(x, true)), feeds), numbers(use(f(x, false)), feeds));
    }
    const xs = fed([3, 4], feeds);
    const stacked = (recompute: boolean) => {
      const stack = new Stack(3);
      stack.give(x, xs);
      return gradients([stack.of([f(x, recompute)])[0]!], [xs])[0]!;
    };
    close(numbers(stacked(true), feeds), numbers(stacked(false), feeds));
  });

  it('has several outputs, whose gradients come together', () => {
    const feeds = new Map<Value, NDArray>();
    const [x, z] = [fed([4], feeds), fed([4], feeds)];
    const f = (recompute: boolean) => {
      const h = b.exp(b.mul(x, z));
      const ys = [b.sin(h), b.cos(h)];
      const [s, c] = recompute ? checkpoint(ys, [x, z]) : ys;
      return gradients([b.sum(b.mul(s, b.square(c)))], [x, z]).map((g) => numbers(g!, feeds));
    };
    for (const [i, got] of f(true).entries()) close(got, f(false)[i]);
  });

  it('does not count an input twice that is computed from another', () => {
    const feeds = new Map<Value, NDArray>();
    const x = fed([4], feeds);
    const twice = b.scale(x, 2);
    const y = b.mul(b.sin(x), twice);
    const [made] = gradients([checkpoint([y], [x, twice])[0]], [x]);
    const [plain] = gradients([y], [x]);
    close(numbers(made!, feeds), numbers(plain!, feeds));
  });
});

/** scan, forLoop and map against the same thing written out step by step, and against numerical gradients. */
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../index.ts';
import type { Tensor } from './index.ts';

const backends = ['x64', 'wasm', 'reference'] as const;

let state = 99;
function random(): number {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return (state / 2 ** 32) * 2 - 1;
}

function randomTensor(...shape: number[]): Tensor {
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random);
  return tf.tensor(data, shape);
}

function expectClose(actual: Tensor, expected: Tensor, tolerance = 2e-4): void {
  expect(actual.shape).toEqual(expected.shape);
  const [x, y] = [actual.dataSync(), expected.dataSync()];
  for (let i = 0; i < x.length; i++) {
    if (Math.abs(x[i] - y[i]) > tolerance * (1 + Math.abs(y[i])))
      expect.fail(`element ${i}: ${x[i]} instead of ${y[i]}`);
  }
}

type Step = (carry: Tensor[], x: Tensor) => [Tensor[], Tensor];

/** The loop written out. */
function unrolled(f: Step, init: Tensor[], xs: Tensor, reverse = false): [Tensor[], Tensor] {
  let carry = init;
  const length = xs.shape[0];
  const ys: Tensor[] = new Array<Tensor>(length);
  for (let i = 0; i < length; i++) {
    const t = reverse ? length - 1 - i : i;
    const [next, y] = f(carry, tf.squeeze(xs.slice([t], [1]), [0]));
    carry = next;
    ys[t] = y;
  }
  return [carry, tf.stack(ys)];
}

/** An LSTM: c and h are carried, h is what comes out. */
function lstm(w: Tensor, u: Tensor, b: Tensor): Step {
  const units = u.shape[0];
  return ([h, c], x) => {
    const z = x.matMul(w).add(h.matMul(u)).add(b);
    const gate = (i: number) => z.slice([0, i * units], [-1, units]);
    const next = gate(1)
      .sigmoid()
      .mul(c)
      .add(gate(0).sigmoid().mul(gate(2).tanh()));
    const out = gate(3).sigmoid().mul(next.tanh());
    return [[out, next], out];
  };
}

describe.each(backends)('scan on %s', (name) => {
  beforeAll(async () => {
    await tf.setBackend(name);
    expect(tf.getBackend()).toBe(name);
  });

  it.each([
    [1, 2, 3, 4, false],
    [2, 3, 5, 7, true],
    [4, 5, 3, 17, false],
  ])('an LSTM of %i steps, batch %i, %i -> %i, and its gradients', (length, batch, size, units, reverse) => {
    const xs = randomTensor(length, batch, size);
    const [w, u, b] = [randomTensor(size, 4 * units), randomTensor(units, 4 * units), randomTensor(4 * units)];
    const init = [randomTensor(batch, units), randomTensor(batch, units)];
    const scale = randomTensor(length, batch, units);
    const loss = (loop: typeof unrolled) => (args: Tensor[]) => {
      const [x, h, c, ...weights] = args;
      const [[, last], ys] = loop(lstm(weights[0], weights[1], weights[2]), [h, c], x, reverse);
      return ys.mul(scale).sum().add(last.square().sum());
    };
    const scanned = (f: Step, first: Tensor[], x: Tensor, back = false): [Tensor[], Tensor] =>
      tf.scan(f, first, x, { reverse: back });
    const args = [xs, init[0], init[1], w, u, b];
    const expected = tf.valueAndGrads((...all) => loss(unrolled)(all))(args);
    const actual = tf.valueAndGrads((...all) => loss(scanned)(all))(args);
    expectClose(actual.value, expected.value);
    actual.grads.forEach((grad, i) => expectClose(grad, expected.grads[i]));
    const jitted = tf.jit((...all: Tensor[]) => tf.valueAndGrads((...inner) => loss(scanned)(inner))(all));
    const again = jitted(...args);
    again.grads.forEach((grad, i) => expectClose(grad, expected.grads[i]));
  });

  it('second derivatives', () => {
    const f = (x: Tensor) => {
      const [last] = tf.scan((c, xt) => [c.mul(xt).sin().add(c), null], tf.ones([3]), x);
      return last.sum();
    };
    const plain = (x: Tensor) => {
      let c: Tensor = tf.ones([3]);
      for (let t = 0; t < 5; t++)
        c = c
          .mul(tf.squeeze(x.slice([t], [1]), [0]))
          .sin()
          .add(c);
      return c.sum();
    };
    const x = randomTensor(5, 3);
    const second = (g: (y: Tensor) => Tensor) => tf.grad((y) => tf.grad(g)(y).square().sum())(x);
    expectClose(second(f), second(plain));
  });

  it.each([0, 1, 100])('%i steps', (length) => {
    const [total, partial] = tf.scan((c, x) => [c.add(x), c], tf.scalar(0.5), tf.ones([length]));
    expect(total.dataSync()[0]).toBe(length + 0.5);
    expect(Array.from(partial.dataSync())).toEqual(Array.from({ length }, (_, i) => i + 0.5));
  });

  it('carries of several dtypes, no ys, no xs', () => {
    const init = { n: tf.scalar(3, 'int32'), on: tf.scalar(true), x: tf.tensor([1, 2]) };
    const [last, ys] = tf.scan(
      ({ n, on, x }) => [{ n: n.add(tf.scalar(1, 'int32')), on: on.logicalNot(), x: x.mul(2) }, null],
      init,
      null,
      { length: 5 },
    );
    expect(ys).toBe(null);
    expect(last.n.dtype).toBe('int32');
    expect(Array.from(last.n.dataSync())).toEqual([8]);
    expect(Array.from(last.on.dataSync())).toEqual([0]);
    expect(Array.from(last.x.dataSync())).toEqual([32, 64]);
  });

  it('loops in loops, with gradients', () => {
    const power = (x: Tensor) => tf.forLoop(0, 3, (_, p) => p.mul(x), tf.onesLike(x));
    const f = (xs: Tensor) => tf.scan((c, x) => [c.add(power(x.mul(c))), power(c)], tf.tensor([1, 0.5]), xs);
    const plain = (xs: Tensor) => {
      let c: Tensor = tf.tensor([1, 0.5]);
      let y: Tensor = tf.scalar(0);
      for (let t = 0; t < 4; t++) {
        y = y.add(c.pow(3).sum());
        c = c.add(
          tf
            .squeeze(xs.slice([t], [1]), [0])
            .mul(c)
            .pow(3),
        );
      }
      return c.sum().add(y) as tf.Scalar;
    };
    const xs = randomTensor(4, 2).mul(0.3);
    const loss = (x: Tensor) => {
      const [c, ys] = f(x);
      return c.sum().add(ys.sum()) as tf.Scalar;
    };
    const [actual, expected] = [tf.valueAndGrad(loss)(xs), tf.valueAndGrad(plain)(xs)];
    expectClose(actual.value, expected.value);
    expectClose(actual.grad, expected.grad);
  });

  it('a carry that moves on into another, and one that stays', () => {
    const [[a, b, c]] = tf.scan(
      ([x, y, z]) => [[y, x.add(z), z], null],
      [tf.tensor([1, 2, 3]), tf.tensor([4, 5, 6]), tf.tensor([10, 20, 30])],
      null,
      { length: 3 },
    );
    expect(Array.from(a.dataSync())).toEqual([14, 25, 36]);
    expect(Array.from(b.dataSync())).toEqual([21, 42, 63]);
    expect(Array.from(c.dataSync())).toEqual([10, 20, 30]);
  });

  it('map and forLoop', () => {
    const squares = tf.map(({ x, y }) => [x.square(), x.add(y)], { x: tf.range(0, 5), y: tf.ones([5, 2]) });
    expect(Array.from(squares[0].dataSync())).toEqual([0, 1, 4, 9, 16]);
    expect(squares[1].shape).toEqual([5, 2]);
    const sum = tf.forLoop(2, 6, (i, c) => c.add(i.toFloat()), tf.scalar(0));
    expect(sum.dataSync()[0]).toBe(14);
    expect(tf.forLoop(6, 2, (_, c) => c.mul(2), tf.scalar(3)).dataSync()[0]).toBe(3);
  });

  it('whileLoop: steps that depend on data, also none', () => {
    const collatz = tf.jit((n: Tensor) =>
      tf.whileLoop(
        ([x]) => x.notEqual(tf.scalar(1, 'int32')),
        ([x, steps]) => {
          const half = x.floorDiv(tf.scalar(2, 'int32'));
          const odd = x.sub(half.mul(tf.scalar(2, 'int32')));
          const next = tf.where(
            odd.equal(tf.scalar(1, 'int32')),
            x.mul(tf.scalar(3, 'int32')).add(tf.scalar(1, 'int32')),
            half,
          );
          return [next, steps.add(tf.scalar(1, 'int32'))];
        },
        [n, tf.scalar(0, 'int32')],
      ),
    );
    const steps = [1, 6, 27].map((n) => collatz(tf.scalar(n, 'int32'))[1].dataSync()[0]);
    expect(steps).toEqual([0, 8, 111]);
    expect(collatz.traces).toBe(1);
  });

  it('whileLoop: a gradient through a bounded one', () => {
    const f = (x: Tensor) =>
      tf
        .whileLoop(
          (c) => c.max().less(50),
          (c) => c.mul(x).add(1),
          tf.tensor([1, 1, 1]),
          { maxIterations: 20 },
        )
        .sum();
    const x = tf.tensor([1.5, 1.2, 0.5]);
    const plain = (v: Tensor) => {
      let c: Tensor = tf.tensor([1, 1, 1]);
      while (c.max().dataSync()[0] < 50) c = c.mul(v).add(1);
      return c.sum();
    };
    expectClose(f(x), plain(x));
    expectClose(tf.grad(f)(x), tf.grad(plain)(x));
    expect(() =>
      tf.grad((v) =>
        tf.whileLoop(
          (c) => c.less(9),
          (c) => c.mul(v),
          tf.scalar(1),
        ),
      )(tf.scalar(2)),
    ).toThrow(/\[whileLoop\] a gradient needs a bound/);
  });

  it('cond: one branch, its gradient, and nothing of the other', () => {
    const f = (flag: Tensor, x: Tensor, y: Tensor) =>
      tf.cond(
        flag,
        (a) => a.mul(y).sum(),
        (a) => a.div(a.sub(a)).sum().add(y.sum()),
        x,
      );
    const run = tf.jit((flag: Tensor, x: Tensor, y: Tensor) => {
      const { value, grads } = tf.valueAndGrads((a, b) => f(flag, a, b))([x, y]);
      return [value, ...grads];
    });
    const [x, y] = [tf.tensor([1, 2]), tf.tensor([3, 4])];
    const [value, dx, dy] = run(tf.scalar(true), x, y);
    expect([value, dx, dy].map((t) => Array.from(t.dataSync()))).toEqual([[11], [3, 4], [1, 2]]);
    const [, , other] = run(tf.scalar(false), x, y);
    expect(Array.from(other.dataSync())).toEqual([1, 1]);
    const inside = tf.scan(
      (c, b) => [
        tf.cond(
          b,
          (v) => v.add(1),
          (v) => v.mul(2),
          c,
        ),
        c,
      ],
      tf.scalar(1),
      tf.tensor([true, false, false, true]),
    );
    expect(inside[0].dataSync()[0]).toBe(9);
  });

  it('random numbers differ from step to step, and are the same for the same seed', () => {
    const draw = () => {
      tf.setSeed(7);
      return tf.scan((c) => [c, tf.randomUniform([4])], tf.scalar(0), null, { length: 3 })[1].dataSync();
    };
    const [first, second] = [draw(), draw()];
    expect(Array.from(first)).toEqual(Array.from(second));
    expect(new Set(first).size).toBe(12);
  });

  it('variables, in jit too, and a random key that moves on', () => {
    const w = tf.variable(tf.tensor([2, 3]));
    const loss = () => {
      const [last] = tf.scan(
        (c, x) => [c.mul(w).add(x), null],
        tf.ones([2]),
        tf.tensor([
          [1, 1],
          [2, 0],
        ]),
      );
      return last.sum() as tf.Scalar;
    };
    const { value, grads } = tf.variableGrads(loss);
    expect(value.dataSync()[0]).toBe((2 + 1) * 2 + 2 + (3 + 1) * 3);
    expect(Array.from(grads[w.name].dataSync())).toEqual([2 * 2 + 1, 2 * 3 + 1]);
    const step = tf.jit(() => {
      const { grads: dw } = tf.variableGrads(loss);
      w.assign(w.sub(dw[w.name].mul(0.1)));
      return tf.scan((c) => [c.add(tf.randomUniform([])), null], tf.scalar(0), null, { length: 2 })[0];
    });
    const [a, b] = [step().dataSync()[0], step().dataSync()[0]];
    expect(a).not.toBe(b);
    expect(step.traces).toBe(1);
    // w - 0.1 (2 w + 1), twice
    const twice = (v: number) => 0.8 * (0.8 * v - 0.1) - 0.1;
    expectClose(w, tf.tensor([twice(2), twice(3)]));
  });

  it('compiles once, and leaks nothing', () => {
    const run = (by: number) =>
      tf.tidy(() => {
        const f = (x: Tensor) =>
          tf
            .scan((c, xt) => [c.add(xt.mul(by).tanh()), c], tf.zeros([3]), x)[1]
            .square()
            .sum();
        return tf
          .grad(f)(tf.ones([4, 3]))
          .dataSync()[0];
      });
    run(0.1);
    run(0.2);
    const before = tf.memory();
    for (let i = 0; i < 5; i++) run(0.3 + i / 7);
    const after = tf.memory();
    expect(after.compilations).toBe(before.compilations);
    expect([after.numTensors, after.numDataBuffers, after.numBytes]).toEqual([
      before.numTensors,
      before.numDataBuffers,
      before.numBytes,
    ]);
  });

  it('vmap of a scan, a whileLoop and a cond', () => {
    const xs = randomTensor(3, 4, 2);
    const f = (x: Tensor) => tf.scan((c, xt) => [c.mul(0.5).add(xt.sin()), c], tf.zeros([2]), x)[1];
    const each = tf.stack([0, 1, 2].map((i) => f(tf.squeeze(xs.slice([i], [1]), [0]))));
    expectClose(tf.vmap(f)(xs), each);
    const limits = tf.tensor([5, 0.5, 100]);
    const double = (limit: Tensor) =>
      tf.whileLoop(
        (c) => c.less(limit),
        (c) => c.mul(2),
        tf.scalar(1),
      );
    expect(Array.from(tf.vmap(double)(limits).dataSync())).toEqual([8, 1, 128]);
    const choose = (x: Tensor) =>
      tf.cond(
        x.greater(1),
        (v) => v.square(),
        (v) => v.neg(),
        x,
      );
    expect(Array.from(tf.vmap(choose)(limits).dataSync())).toEqual([25, -0.5, 10000]);
  });
});

describe('mistakes', () => {
  const x = () => tf.ones([3, 2]);
  it.each([
    [
      () => tf.scan((c, v) => [c.add(v), null], tf.scalar(0), x()),
      /\[scan\] the carry must keep its shapes and dtypes; it is float32\[\] before the body and it is float32\[2\] after/,
    ],
    [() => tf.scan(((c: Tensor) => c) as never, tf.scalar(0), x()), /\[scan\] f must return a list of two/],
    [() => tf.scan((c) => [c, null], tf.scalar(0), null), /\[scan\] the number of steps must be known/],
    [
      () => tf.scan((c) => [c, null], tf.scalar(0), [x(), tf.ones([4])]),
      /the first axis of xs must be the number of steps, 3; \[1\] is float32\[4\]/,
    ],
    [() => tf.scan((c) => [c, null], tf.scalar(0), tf.scalar(1)), /xs must have a first axis/],
    [
      () => tf.scan((c) => [c.dataSync() && c, null], tf.scalar(0), x()),
      /\[scan\] a value inside of a loop or a branch is not known/,
    ],
    [() => tf.scan((async (c: Tensor) => [c, null]) as never, tf.scalar(0), x()), /must not be asynchronous/],
    [() => tf.forLoop(0, 2.5, (_, c) => c, tf.scalar(0)), /\[forLoop\] upper must be an integer; got 2.5/],
    [
      () =>
        tf.whileLoop(
          (c) => c,
          (c) => c,
          tf.ones([2]),
        ),
      /\[whileLoop\] what cond returns must be a scalar/,
    ],
    [
      () =>
        tf.cond(
          tf.scalar(true),
          () => tf.scalar(1),
          () => tf.ones([2]),
        ),
      /\[cond\] both branches must return the same shapes/,
    ],
    [
      () =>
        tf.cond(
          tf.ones([2]),
          () => tf.scalar(1),
          () => tf.scalar(1),
        ),
      /\[cond\] the predicate must be a scalar/,
    ],
    [
      () => {
        const v = tf.variable(tf.scalar(1));
        const assigning = (c: Tensor): [Tensor, null] => {
          v.assign(c as tf.Scalar);
          return [c, null];
        };
        tf.scan(assigning, tf.scalar(0), x());
      },
      /\[scan\] a variable must not be assigned/,
    ],
  ] as [() => unknown, RegExp][])('%#', (f, message) => {
    expect(f).toThrow(message);
  });
});

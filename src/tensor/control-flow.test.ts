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
    [7, 1, 1, 1, false],
    [9, 5, 3, 17, false],
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
});

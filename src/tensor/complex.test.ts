/** complex64 against TensorFlow.js where it computes it, against double precision formulas, and in jit, variables, graphs and gradients. */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { describe, expect, it } from 'vitest';
import { uniform } from '../../test/conformance/samples.ts';
import * as tf from '../index.ts';
import type { Tensor } from '../index.ts';

type C = readonly [number, number];

const add = (a: C, b: C): C => [a[0] + b[0], a[1] + b[1]];
const sub = (a: C, b: C): C => [a[0] - b[0], a[1] - b[1]];
const mul = (a: C, b: C): C => [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]];
const div = (a: C, b: C): C => {
  const n = b[0] ** 2 + b[1] ** 2;
  return [(a[0] * b[0] + a[1] * b[1]) / n, (a[1] * b[0] - a[0] * b[1]) / n];
};
const exp = ([x, y]: C): C => [Math.exp(x) * Math.cos(y), Math.exp(x) * Math.sin(y)];
const log = ([x, y]: C): C => [Math.log(Math.hypot(x, y)), Math.atan2(y, x)];
const i: C = [0, 1];
const one: C = [1, 0];
const scaled = ([x, y]: C, s: number): C => [x * s, y * s];
const sinh = (z: C): C => scaled(sub(exp(z), exp(scaled(z, -1))), 0.5);
const cosh = (z: C): C => scaled(add(exp(z), exp(scaled(z, -1))), 0.5);
const sqrt = (z: C): C => exp(scaled(log(z), 0.5));
const abs = ([x, y]: C): number => Math.hypot(x, y);

/** Written with exponentials and logarithms, unlike the ones they check. */
const unary: Record<string, (z: C) => C> = {
  exp,
  log,
  expm1: (z) => sub(exp(z), one),
  log1p: (z) => log(add(one, z)),
  neg: (z) => scaled(z, -1),
  square: (z) => mul(z, z),
  reciprocal: (z) => div(one, z),
  sqrt,
  rsqrt: (z) => div(one, sqrt(z)),
  sinh,
  cosh,
  tanh: (z) => div(sinh(z), cosh(z)),
  sin: (z) => div(sinh(mul(i, z)), i),
  cos: (z) => cosh(mul(i, z)),
  tan: (z) => div(div(sinh(mul(i, z)), i), cosh(mul(i, z))),
  sigmoid: (z) => div(one, add(one, exp(scaled(z, -1)))),
  sign: (z) => scaled(z, 1 / abs(z)),
};

const binary: Record<string, (a: C, b: C) => C> = {
  add,
  sub,
  mul,
  div,
  pow: (a, b) => exp(mul(b, log(a))),
  squaredDifference: (a, b) => [abs(sub(a, b)) ** 2, 0],
};

function draw(count: number, seed: number, low = -2, high = 2): C[] {
  const random = uniform(seed);
  const next = () => Math.fround(low + (high - low) * random());
  return Array.from({ length: count }, () => [next(), next()] as const);
}

function tensorOf(zs: readonly C[], shape: number[] = [zs.length]): Tensor {
  return tf.complex(
    tf.tensor(
      zs.map(([re]) => re),
      shape,
    ),
    tf.tensor(
      zs.map(([, im]) => im),
      shape,
    ),
  );
}

function expectClose(got: ArrayLike<number>, wanted: readonly number[], tolerance = 3e-6): void {
  expect(got.length).toBe(wanted.length);
  for (let k = 0; k < wanted.length; k++) {
    const off = Math.abs(got[k] - wanted[k]);
    if (!(off <= tolerance * (1 + Math.abs(wanted[k])))) expect.fail(`element ${k} is ${got[k]}, not ${wanted[k]}`);
  }
}

type Chained = Record<string, (...args: unknown[]) => Tensor>;
const call = (x: Tensor, name: string, ...rest: unknown[]) => (x as unknown as Chained)[name](...rest);

/** d sum(w . f) / d(re, im) by differences in double precision. */
function numericGradient(f: (z: C) => C, z: C, w: C): number[] {
  const loss = (x: number, y: number) => {
    const [re, im] = f([x, y]);
    return w[0] * re + w[1] * im;
  };
  const h = 1e-5;
  const [x, y] = z;
  return [(loss(x + h, y) - loss(x - h, y)) / (2 * h), (loss(x, y + h) - loss(x, y - h)) / (2 * h)];
}

describe('complex64 functions', () => {
  it.each(Object.keys(unary))('%s and its gradient are those of double precision', (name) => {
    const zs = draw(33, 7);
    const z = tensorOf(zs);
    expectClose(call(z, name).dataSync(), zs.flatMap(unary[name]), 1e-5);
    const ws = draw(33, 8);
    const dz = tf.grad((x) => call(x, name))(z, tensorOf(ws));
    expect(dz.dtype).toBe('complex64');
    expectClose(
      dz.dataSync(),
      zs.flatMap((at, k) => numericGradient(unary[name], at, ws[k])),
      2e-4,
    );
  });

  it.each(Object.keys(binary))('%s and its gradients are those of double precision, real operands too', (name) => {
    const [as, bs, ws] = [draw(17, 1, 0.3), draw(17, 2), draw(17, 3)];
    const reals = bs.map(([x]): C => [x, 0]);
    const f = binary[name];
    const [a, b] = [tensorOf(as), tensorOf(bs)];
    const real = tf.real(b);
    expectClose(
      call(a, name, b).dataSync(),
      as.flatMap((x, k) => f(x, bs[k])),
      2e-5,
    );
    expectClose(
      call(a, name, real).dataSync(),
      as.flatMap((x, k) => f(x, reals[k])),
      2e-5,
    );
    expect(call(real, name, a).dtype).toBe('complex64');
    const [da, db] = tf.grads((x, y) => call(x, name, y))([a, b], tensorOf(ws));
    const wantedA = as.flatMap((x, k) => numericGradient((v) => f(v, bs[k]), x, ws[k]));
    const wantedB = bs.flatMap((y, k) => numericGradient((v) => f(as[k], v), y, ws[k]));
    expectClose(da.dataSync(), wantedA, 3e-4);
    expectClose(db.dataSync(), wantedB, 3e-4);
    // A real operand has a real gradient.
    const ofReal = tf.grad((y) => call(a, name, y))(real, tensorOf(ws));
    expect(ofReal.dtype).toBe('float32');
    const wantedReal = reals.map((y, k) => numericGradient((v) => f(as[k], v), y, ws[k])[0]);
    expectClose(ofReal.dataSync(), wantedReal, 3e-4);
  });

  it('abs, angle, real, imag and conj, with gradients', () => {
    const zs = draw(19, 5);
    const z = tensorOf(zs);
    expectClose(tf.abs(z).dataSync(), zs.map(abs));
    expectClose(
      tf.angle(z).dataSync(),
      zs.map(([x, y]) => Math.atan2(y, x)),
    );
    expectClose(
      tf.real(z).dataSync(),
      zs.map(([x]) => x),
    );
    expectClose(
      tf.imag(z).dataSync(),
      zs.map(([, y]) => y),
    );
    expectClose(
      tf.conj(z).dataSync(),
      zs.flatMap(([x, y]) => [x, -y]),
    );
    for (const [name, f] of [
      ['abs', (v: C): C => [abs(v), 0]],
      ['angle', (v: C): C => [Math.atan2(v[1], v[0]), 0]],
      ['real', (v: C): C => [v[0], 0]],
      ['imag', (v: C): C => [v[1], 0]],
    ] as const) {
      const dz = tf.grad((x) => (tf as unknown as Record<string, (x: Tensor) => Tensor>)[name](x))(z);
      expectClose(
        dz.dataSync(),
        zs.flatMap((at) => numericGradient(f, at, one)),
        1e-4,
      );
    }
  });

  it('does not overflow where the result does not, and is defined at zero', () => {
    const big = tensorOf([[3e30, 4e30]]);
    expectClose(tf.abs(big).div(1e30).dataSync(), [5]);
    expectClose(big.div(big).dataSync(), [1, 0]);
    expectClose(big.sqrt().dataSync(), [...scaled(sqrt([3, 4]), 1e15)]);
    const zero = tensorOf([[0, 0]]);
    expect([...zero.sqrt().dataSync()]).toEqual([0, 0]);
    expect([...zero.sign().dataSync()]).toEqual([0, 0]);
    expect([...zero.pow(0).dataSync()]).toEqual([1, 0]);
    expect([...zero.pow(tensorOf([[2, 1]])).dataSync()]).toEqual([0, 0]);
    for (const f of [tf.abs, tf.angle, (x: Tensor) => x.sign()]) {
      expect(
        [
          ...tf
            .grad((x: Tensor) => f(x))(zero)
            .dataSync(),
        ].map(Math.abs),
      ).toEqual([0, 0]);
    }
    expectClose(
      tensorOf([[-4, 0]])
        .sqrt()
        .dataSync(),
      [0, 2],
    );
    expectClose(
      tensorOf([
        [50, 60],
        [-50, 1],
      ])
        .tanh()
        .dataSync(),
      [1, 0, -1, 0],
    );
  });

  it('second derivatives are those of the two real parts', () => {
    // L = |z^3|^2 = |z|^6: dL/dz = 6 |z|^4 z, and the gradient of |dL/dz|^2 = 36 |z|^10 is 360 |z|^8 z.
    const zs = draw(9, 11);
    const loss = (z: Tensor) => tf.abs(z.mul(z).mul(z)).square().sum();
    const first = tf.grad(loss);
    expectClose(
      first(tensorOf(zs)).dataSync(),
      zs.flatMap((z) => scaled(z, 6 * abs(z) ** 4)),
      1e-5,
    );
    const second = tf.grad((z: Tensor) => tf.abs(first(z)).square().sum());
    expectClose(
      second(tensorOf(zs)).dataSync(),
      zs.flatMap((z) => scaled(z, 360 * abs(z) ** 8)),
      1e-4,
    );
  });

  it('a real loss through complex values has the gradient of the same loss in real pairs', () => {
    const [x, y] = [tf.tensor([0.3, -0.7, 1.1]), tf.tensor([0.5, 0.2, -0.4])];
    const complexLoss = (re: Tensor, im: Tensor) => {
      const z = tf.complex(re, im);
      const w = z.mul(z).add(tf.complex(1, -1)).exp();
      return tf.real(w).mul(tf.imag(w)).sum();
    };
    const pairLoss = (re: Tensor, im: Tensor) => {
      const [a, b] = [re.square().sub(im.square()).add(1), re.mul(im).mul(2).sub(1)];
      return a.exp().mul(b.cos()).mul(a.exp().mul(b.sin())).sum();
    };
    const [dx, dy] = tf.grads(complexLoss)([x, y]);
    const [px, py] = tf.grads(pairLoss)([x, y]);
    expectClose(dx.dataSync(), [...px.dataSync()], 1e-5);
    expectClose(dy.dataSync(), [...py.dataSync()], 1e-5);
  });
});

/** The same expression on both libraries, where TensorFlow.js has it for complex64. */
const shared: Record<string, (lib: typeof tf, z: Tensor, w: Tensor) => Tensor> = {
  reshape: (_lib, z) => z.reshape([3, 2]),
  expandDims: (_lib, z) => z.expandDims(1),
  concat: (lib, z, w) => lib.concat([z, w], 1),
  add: (_lib, z, w) => z.add(w),
  mul: (_lib, z, w) => z.mul(w),
  sub: (_lib, z, w) => z.sub(w),
  real: (lib, z) => lib.real(z),
  imag: (lib, z) => lib.imag(z),
  abs: (lib, z) => lib.abs(z),
  castFloat: (_lib, z) => z.cast('float32'),
  castInt: (_lib, z) => z.cast('int32'),
  clone: (_lib, z) => z.clone(),
};

describe('complex64 tensors', () => {
  const zs = draw(6, 21);
  const ours = tensorOf(zs, [2, 3]);
  // A new one for each test: reshape of TensorFlow.js reshapes the parts of the tensor that it is given.
  const theirs = () =>
    tfjs.complex(
      tfjs.tensor(
        zs.map(([x]) => x),
        [2, 3],
      ),
      tfjs.tensor(
        zs.map(([, y]) => y),
        [2, 3],
      ),
    );

  it.each(Object.keys(shared))('%s is as in TensorFlow.js', (name) => {
    const f = shared[name];
    const a = f(tf, ours, ours);
    const z = theirs() as unknown as Tensor;
    const b = f(tfjs as unknown as typeof tf, z, z);
    expect([a.dtype, a.shape]).toEqual([b.dtype, b.shape]);
    expectClose(a.dataSync(), [...b.dataSync()]);
  });

  it('print, data and array are as in TensorFlow.js', async () => {
    const parts = [
      [
        [1, 2.5, -3],
        [0, 100, 0.25],
      ],
      [
        [0, -1, 2],
        [4, 5, -0.125],
      ],
    ] as const;
    for (const pick of [(x: readonly (readonly number[])[]) => x, (x: readonly (readonly number[])[]) => x[0]]) {
      const [a, b] = [pick(parts[0]), pick(parts[1])] as [number[], number[]];
      const [o, t] = [tf.complex(a, b), tfjs.complex(a, b)];
      expect(o.toString()).toBe(t.toString());
      expect(o.toString(true)).toBe(t.toString(true));
      expect(await o.array()).toEqual(await t.array());
      expect(await o.data()).toEqual(await t.data());
    }
    expect(tf.complex(1, 2).toString()).toBe(tfjs.complex(1, 2).toString());
    expect(tf.complex(1, 2).arraySync()).toBe(1);
    const long = Array.from({ length: 30 }, (_, k) => k);
    expect(tf.complex(long, long).toString()).toBe(tfjs.complex(long, long).toString());
  });

  it('moves, sums and multiplies as its parts do', () => {
    const [re, im] = [tf.real(ours), tf.imag(ours)];
    const movements: ((x: Tensor) => Tensor)[] = [
      (x) => x.transpose(),
      (x) => x.reverse(1),
      (x) => x.tile([2, 1]),
      (x) => x.gather([2, 0, 2], 1),
      (x) => x.broadcastTo([4, 2, 3]),
      (x) => tf.stack([x, x], 1),
      (x) => x.unstack(1)[1],
      (x) => x.split(3, 1)[2],
      (x) => x.stridedSlice([0, 2], [2, 0], [1, -1]),
      (x) => x.squeeze(),
      (x) =>
        x.pad([
          [1, 0],
          [0, 2],
        ]),
      (x) =>
        x.mirrorPad(
          [
            [0, 1],
            [1, 1],
          ],
          'reflect',
        ),
      (x) => x.sum(0),
      (x) => x.mean(1, true),
      (x) => tf.where([true, false, true], x, tf.zerosLike(x)),
    ];
    for (const move of movements) {
      const moved = move(ours);
      expect(moved.dtype).toBe('complex64');
      expect([...tf.real(moved).dataSync()]).toEqual([...move(re).dataSync()]);
      expect([...tf.imag(moved).dataSync()]).toEqual([...move(im).dataSync()]);
    }
    expectClose(
      ours.prod(1).dataSync(),
      [0, 3].flatMap((k) => mul(mul(zs[k], zs[k + 1]), zs[k + 2])),
    );
    expectClose(ours.prod().dataSync(), [...zs.reduce(mul)]);
    expect([...tf.zeros([0, 2], 'complex64').prod(0).dataSync()]).toEqual([1, 0, 1, 0]);
    const product = ours.matMul(ours, false, true).dataSync();
    const wanted = [0, 1].flatMap((r) =>
      [0, 1].flatMap((c) => [0, 1, 2].map((k) => mul(zs[3 * r + k], zs[3 * c + k])).reduce(add)),
    );
    expectClose(product, wanted);
    expect(ours.matMul(re, false, true).dtype).toBe('complex64');
    expectClose(
      tf.dot(ours, tf.tensor([1, 2, 3])).dataSync(),
      [0, 3].flatMap((r) => add(add(zs[r], scaled(zs[r + 1], 2)), scaled(zs[r + 2], 3))),
    );
    expectClose(tf.norm(ours).dataSync(), [Math.sqrt(zs.reduce((s, z) => s + abs(z) ** 2, 0))]);
    expectClose(
      tf.addN([ours, ours, re]).dataSync(),
      zs.flatMap(([x, y]) => [3 * x, 2 * y]),
    );
    expect(tf.transpose(ours, [1, 0], true).dataSync()).toEqual(tf.conj(ours.transpose()).dataSync());
  });

  it('compares, casts and fills', () => {
    expect([...ours.equal(tf.real(ours)).dataSync()]).toEqual(zs.map(([, y]) => Number(y === 0)));
    expect([...ours.notEqual(ours.clone()).dataSync()]).toEqual([0, 0, 0, 0, 0, 0]);
    expect([...tf.cast([true, false], 'complex64').dataSync()]).toEqual([1, 0, 0, 0]);
    expect(tf.cast(ours, 'complex64').dataSync()).toEqual(ours.dataSync());
    expect([...tf.fill([2], 3, 'complex64').dataSync()]).toEqual([3, 0, 3, 0]);
    expect([...tf.onesLike(ours).dataSync()]).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
    expect(tf.tensor(ours.dataSync(), [2, 3], 'complex64').dataSync()).toEqual(ours.dataSync());
    expect(tf.tensor(ours.arraySync(), undefined, 'complex64').shape).toEqual([2, 3]);
    expect(ours.add(1).dtype).toBe('complex64');
    expect([...tf.complex([NaN, 1, 2], [1, Infinity, 3]).isFinite().dataSync()]).toEqual([0, 0, 1]);
    expect(tf.zeros([0, 3], 'complex64').shape).toEqual([0, 3]);
    expect(tf.zeros([0, 3], 'complex64').add(1).dataSync()).toEqual(new Float32Array(0));
  });

  it('says what it does not do', () => {
    expect(() => ours.relu()).toThrow('[relu] x must hold real numbers; got a complex64 tensor of shape [2,3]');
    expect(() => tf.maximum(ours, 1)).toThrow('[maximum] a must hold real numbers');
    expect(() => tf.complex([1], [1, 2])).toThrow('[complex] real and imag must have one shape; got [1] and [2]');
    expect(() => tf.complex(ours, ours)).toThrow('[complex] real must hold real numbers');
    expect(() => tf.tensor([1, 2, 3], [3], 'complex64')).toThrow('[tensor] a complex64 tensor needs two numbers');
    expect(() => ours.bufferSync()).toThrow('[buffer] the dtype must not be complex64');
    expect(() => tf.grad((x) => tf.abs(x))(ours, ours)).toThrow('[grad] dy must hold real numbers');
  });

  it('lives in jit, tidy, variables, graphs and feeds', () => {
    const f = tf.jit((z: Tensor, s: Tensor) => ({ product: z.mul(z), size: tf.abs(z).mul(s), same: z }));
    for (let round = 0; round < 2; round++) {
      const { product, size, same } = f(ours, tf.scalar(2));
      expectClose(
        product.dataSync(),
        zs.flatMap((z) => mul(z, z)),
      );
      expectClose(
        size.dataSync(),
        zs.map((z) => 2 * abs(z)),
      );
      expect(same.dtype).toBe('complex64');
    }
    expect(f.traces).toBe(1);
    const v = tf.variable(tf.complex([1, 2], [3, 4]));
    const rotate = tf.jit(() => v.assign(v.mul(tf.complex(0, 1))));
    rotate();
    rotate();
    expect([...v.dataSync()]).toEqual([-1, -3, -2, -4]);
    const { value, grads } = tf.variableGrads(() => tf.abs(v).square().sum().asScalar(), [v]);
    expectClose(value.dataSync(), [30]);
    expectClose(grads[v.name].dataSync(), [-2, -6, -4, -8]);
    expect(() => v.assign(tf.tensor([1, 2]))).toThrow('holds complex64[2]');
    const graph = new tf.Graph();
    const { x, y } = graph.as(() => {
      const input = tf.placeholder('complex64', [2], 'x');
      return { x: input, y: graph.setName('y', input.mul(v)) };
    });
    const session = new tf.Session(graph);
    for (const result of [
      session.run(y, [[x, tf.complex([0, 1], [1, 0])]]),
      session.run('y', { x: tf.complex([0, 1], [1, 0]) }),
    ]) {
      expect(result.dtype).toBe('complex64');
      expectClose(result.dataSync(), [3, -1, -2, -4]);
    }
    expect(() => session.run(y, [[x, tf.tensor([1, 2])]])).toThrow('must be complex64[2]; got float32[2]');
    session.close();
  });

  it('goes through vmap, jvp, vjp, checkpoint and loops', () => {
    const f = (z: Tensor) => z.mul(z).sum();
    const rows = tf.unstack(ours).map(f);
    const mapped = tf.vmap(f)(ours);
    expect(mapped.dtype).toBe('complex64');
    expectClose(mapped.dataSync(), [...tf.stack(rows).dataSync()]);
    const columns = tf.vmap((z: Tensor) => z.mul(tf.complex(0, 1)), { inAxes: 1, outAxes: -1 })(ours);
    expectClose(columns.dataSync(), [...ours.mul(tf.complex(0, 1)).dataSync()]);
    expectClose(
      tf
        .vmap((z: Tensor) => tf.fft(z))(ours)
        .dataSync(),
      [...tf.fft(ours).dataSync()],
    );
    const v = tensorOf(draw(6, 13), [2, 3]);
    const [value, tangent] = tf.jvp((z: Tensor) => z.mul(z), [ours], [v]);
    expectClose(
      value.dataSync(),
      zs.flatMap((z) => [...mul(z, z)]),
    );
    expectClose(tangent.dataSync(), [...ours.mul(v).mul(2).dataSync()]);
    const [, pullback] = tf.vjp((z: Tensor) => z.mul(z), ours);
    expectClose(pullback(v)[0].dataSync(), [...tf.conj(ours).mul(v).mul(2).dataSync()]);
    const again = tf.grad((z: Tensor) => tf.abs(tf.checkpoint(f)(z)).square())(ours);
    expectClose(again.dataSync(), [
      ...tf
        .grad((z: Tensor) => tf.abs(f(z)).square())(ours)
        .dataSync(),
    ]);
    const [turned] = tf.scan((z: Tensor, x: Tensor) => [z.mul(tf.complex(0, 1)).add(x), null], ours, tf.tensor([1, 2]));
    expectClose(
      turned.dataSync(),
      zs.flatMap(([x, y]) => [-x + 2, -y + 1]),
    );
    expect(() => tf.scan((c: Tensor, z: Tensor) => [c, z], tf.scalar(0), ours)).toThrow(
      '[scan] xs must hold real numbers',
    );
  });

  it('leaves nothing behind', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      ours.mul(ours).transpose().matMul(ours).sum().dataSync();
      tf.grad((z: Tensor) => tf.abs(z.prod()).sum())(ours).dataSync();
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('a custom gradient may be complex', () => {
    const f = tf.customGrad((z, save) => {
      (save as tf.GradSaver)([z as Tensor]);
      return { value: (z as Tensor).mul(z as Tensor), gradFunc: (dy, [at]) => dy.mul(tf.conj(at)).mul(2) };
    });
    const w = tensorOf(draw(6, 4), [2, 3]);
    const wanted = tf.grad((z: Tensor) => z.mul(z))(ours, w);
    expectClose(
      tf
        .grad((z: Tensor) => f(z))(ours, w)
        .dataSync(),
      [...wanted.dataSync()],
    );
  });
});

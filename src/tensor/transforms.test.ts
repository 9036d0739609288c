/** vmap, jvp, vjp, linearize, Jacobians, Hessians and checkpoint as users hold them: against loops, gradients and closed forms. */
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from './index.ts';
import { referenceBackend } from './reference-backend.ts';
import type { Tensor, Tensor1D, Tensor2D } from './index.ts';

function close(actual: Tensor | number[], wanted: Tensor | number[], tolerance = 1e-5): void {
  const read = (x: Tensor | number[]) => (Array.isArray(x) ? x : Array.from(x.dataSync()));
  if (!Array.isArray(actual) && !Array.isArray(wanted)) expect(actual.shape).toEqual(wanted.shape);
  const [a, w] = [read(actual), read(wanted)];
  expect(a.length).toBe(w.length);
  for (const [i, x] of a.entries()) expect(Math.abs(x - w[i])).toBeLessThanOrEqual(tolerance * (1 + Math.abs(w[i])));
}

const range = (n: number, from = 0.1, step = 0.13) =>
  Array.from({ length: n }, (_, i) => Math.sin(from + i * step * 7));
const X = () => tf.tensor2d(range(12), [3, 4]);
const W = () => tf.tensor2d(range(20, 2), [4, 5]);

beforeAll(async () => {
  tf.registerBackend('reference', async () => referenceBackend());
  await tf.setBackend('reference');
});

describe('vmap', () => {
  it('is a loop over the stack', () => {
    const f = (x: Tensor1D) => tf.softmax(x).mul(x.max()).add(x.sum());
    const x = X();
    close(tf.vmap(f)(x), tf.stack(tf.unstack(x).map((row) => f(row as Tensor1D))));
  });

  it('maps axes of choice, and puts the stack where it is asked to', () => {
    const [a, b] = [tf.tensor(range(24), [2, 3, 4]), tf.tensor(range(12), [4, 3])];
    const f = (x: Tensor, y: Tensor) => x.mul(2).add(y);
    const y = tf.vmap(f, { inAxes: [1, -1], outAxes: 2 })(a, b);
    expect(y.shape).toEqual([2, 4, 3]);
    close(
      y,
      a
        .transpose([0, 2, 1])
        .mul(2)
        .add(b.reshape([1, 4, 3])),
    );
  });

  it('shares what has the axis null, numbers and what f closes over', () => {
    const [x, w] = [X(), W()];
    const bias = tf.variable(tf.ones([5]));
    const f = (row: Tensor1D, weights: Tensor2D, factor: number) =>
      row.reshape([1, 4]).matMul(weights).add(bias).mul(factor);
    const y = tf.vmap(f, { inAxes: [0, null, null] })(x, w, 3);
    expect(y.shape).toEqual([3, 1, 5]);
    close(y.reshape([3, 5]), x.matMul(w).add(1).mul(3));
  });

  it('takes lists and objects, with an axis for each part', () => {
    const f = (p: { w: Tensor; b: Tensor[] }, x: Tensor) => ({ y: x.mul(p.w).add(p.b[0]), two: [p.b[1]] });
    const p = { w: tf.tensor2d(range(6), [2, 3]), b: [tf.tensor1d([1, 2, 3]), tf.scalar(5)] };
    const { y, two } = tf.vmap(f, { inAxes: [{ w: 1, b: [0, null] }, null] })(p, tf.tensor1d([1, 2]));
    close(
      y,
      p.w
        .transpose()
        .mul([[1, 2]])
        .add(p.b[0].reshape([3, 1])),
    );
    close(two[0], [5, 5, 5]);
    close(tf.vmap((x: Tensor) => x.sum())([[1, 2], [3, 4]]), [3, 7]); // biome-ignore format: one line
  });

  it('nests', () => {
    const outer = tf.vmap((a: Tensor) => tf.vmap((b: Tensor) => a.mul(b).sum())(W().transpose()))(X());
    close(outer, X().matMul(W()));
  });

  it('stands over grad: gradients for each example, of dense and of convolution', () => {
    const [x, w] = [X(), W()];
    const loss = (weights: Tensor2D, row: Tensor1D) => row.reshape([1, 4]).matMul(weights).square().sum() as tf.Scalar;
    const each = tf.vmap((row: Tensor1D) => tf.grad((v: Tensor2D) => loss(v, row))(w))(x);
    const looped = tf.unstack(x).map((row) => tf.grad((v: Tensor2D) => loss(v, row as Tensor1D))(w));
    close(each, tf.stack(looped));
    const images = tf.tensor(range(2 * 6 * 6 * 2), [2, 6, 6, 2]);
    const filter = tf.tensor4d(range(3 * 3 * 2 * 3, 1), [3, 3, 2, 3]);
    const convolve = (image: Tensor, f: tf.Tensor4D) =>
      tf
        .maxPool(tf.conv2d(image.expandDims(0) as tf.Tensor4D, f, 1, 'same').relu(), 2, 2, 'valid')
        .square()
        .sum();
    const own = tf.vmap((image: Tensor) => tf.grad((f: tf.Tensor4D) => convolve(image, f))(filter))(images);
    close(
      own,
      tf.stack(tf.unstack(images).map((image) => tf.grad((f: tf.Tensor4D) => convolve(image, f))(filter))),
      1e-4,
    );
  });

  it('stands under grad, jit and jvp, and over jit', () => {
    const [x, w] = [X(), W()];
    const f = (row: Tensor1D) => tf.tanh(row.reshape([1, 4]).matMul(w)).sum();
    const plain = tf.grad((v: Tensor2D) => tf.tanh(v.matMul(w)).sum())(x);
    close(tf.grad((v: Tensor2D) => tf.vmap(f)(v).sum())(x), plain);
    const jitted = tf.jit((v: Tensor2D) => tf.grad((u: Tensor2D) => tf.vmap(f)(u).sum())(v));
    close(jitted(x), plain);
    jitted(x.add(1));
    expect(jitted.traces).toBe(1);
    close(tf.vmap(tf.jit(f))(x), tf.tanh(x.matMul(w)).sum(1));
    const [, moved] = tf.jvp((v: Tensor2D) => tf.vmap(f)(v), [x], [tf.onesLike(x)]);
    close(moved, plain.sum(1));
  });

  it('maps custom gradients', () => {
    const clipped = tf.customGrad((x: Tensor | tf.GradSaver, save: Tensor | tf.GradSaver) => {
      (save as tf.GradSaver)([x as Tensor]);
      return { value: (x as Tensor).square(), gradFunc: (dy: Tensor, [s]: Tensor[]) => dy.mul(s).mul(10) };
    });
    const x = X();
    close(
      tf.grad((v: Tensor2D) =>
        tf
          .vmap((row: Tensor) => clipped(row))(v)
          .sum(),
      )(x),
      x.mul(10),
    );
    close(tf.vmap((row: Tensor) => tf.grad((v: Tensor) => clipped(v).sum())(row))(x), x.mul(10));
    close(
      tf.vmap((row: Tensor) =>
        tf.grad((u: Tensor) =>
          tf
            .grad((v: Tensor) => clipped(v).sum())(u)
            .sum(),
        )(row),
      )(x),
      tf.fill([3, 4], 10),
    );
  });

  it('gathers at shared places and at places of its own', () => {
    const x = X();
    close(
      tf.vmap((row: Tensor) => tf.gather(row, tf.tensor1d([1, 0, 3], 'int32')))(x),
      tf.gather(x, tf.tensor1d([1, 0, 3], 'int32'), 1),
    );
    const places = tf.tensor2d([[0, 1], [3, 2], [1, 1]], [3, 2], 'int32'); // biome-ignore format: one line
    const y = tf.vmap((row: Tensor, at: Tensor) => tf.gather(row, at as Tensor1D))(x, places);
    const v = x.arraySync();
    close(y, [v[0][0], v[0][1], v[1][3], v[1][2], v[2][1], v[2][1]]);
  });

  it('has empty stacks and stacks of one', () => {
    const f = (x: Tensor) => tf.softmax(x).mul(2);
    expect(tf.vmap(f)(tf.zeros([0, 4])).shape).toEqual([0, 4]);
    close(tf.vmap(f)(X().slice([0, 0], [1, 4])), f(X().slice([0, 0], [1, 4])));
  });

  it('takes long chains without computing them on the way', () => {
    const f = (x: Tensor) => {
      let at = x;
      for (let i = 0; i < 700; i++) at = at.add(1);
      return at;
    };
    close(tf.vmap(f)(tf.tensor1d([1, 2])), [701, 702]);
  });

  it('says what is wrong', () => {
    const x = X();
    expect(() => tf.vmap((a: Tensor, b: Tensor) => a.add(b))(x, W())).toThrow(
      /\[vmap\] the mapped axes must have one extent.*3.*4/s,
    );
    expect(() => tf.vmap((a: Tensor) => a, { inAxes: 2 })(x)).toThrow(/axis of args\[0\].*\[-2, 1\].*got 2/s);
    expect(() => tf.vmap((a: Tensor) => a)(tf.scalar(1))).toThrow(/null/);
    expect(() => tf.vmap((a: Tensor) => a, { inAxes: null })(x)).toThrow(/at least one/);
    expect(() => tf.vmap((a: Tensor) => a, { inAxes: [0, 0] })(x)).toThrow(/2 axes for 1 parts/);
    expect(() => tf.vmap((a: Tensor) => a, { outAxes: 5 })(x)).toThrow(/the result/);
    expect(() => tf.vmap((a: Tensor) => a, { outAxes: null })(x)).toThrow(/must not depend/);
    expect(() => tf.vmap((a: Tensor) => tf.tensor(a.dataSync()))(x)).toThrow(/\[vmap\].*not known/s);
    expect(() => tf.vmap(async (a: Tensor) => a)(x)).toThrow(/asynchronous/);
    expect(() => tf.vmap((_: Tensor) => 3)(x)).toThrow(/must return a tensor/);
    expect(() => tf.vmap(3 as never)).toThrow(/function/);
    const v = tf.variable(tf.zeros([4]));
    expect(() => tf.vmap((a: Tensor) => v.assign(a as never) ?? a)(x)).toThrow(/must not be assigned/);
    const inside = (a: Tensor) => tf.matMul(a as Tensor2D, W());
    expect(() => tf.vmap(inside)(x)).toThrow(/\[matMul\]/);
  });

  it('leaves nothing behind', () => {
    const [x, w] = [X(), W()];
    const once = () =>
      tf.tidy(() => {
        const f = (row: Tensor1D) => tf.grad((v: Tensor2D) => tf.logSoftmax(row.reshape([1, 4]).matMul(v)).sum())(w);
        tf.vmap(f)(x).dataSync();
      });
    once();
    const before = tf.memory();
    for (let i = 0; i < 3; i++) once();
    const after = tf.memory();
    expect(after.numTensors).toBe(before.numTensors);
    expect(after.numBytes).toBe(before.numBytes);
    expect(after.compilations).toBe(before.compilations);
  });
});

describe('jvp, vjp and linearize', () => {
  const f = (x: Tensor, w: Tensor) => tf.tanh(x.matMul(w as Tensor2D));

  it('agree with each other', () => {
    const [x, w] = [X(), W()];
    const [dx, dw] = [tf.tensor2d(range(12, 5), [3, 4]), tf.tensor2d(range(20, 6), [4, 5])];
    const dy = tf.tensor2d(range(15, 7), [3, 5]);
    const [y, tangent] = tf.jvp(f, [x, w], [dx, dw]);
    close(y, f(x, w));
    const [value, pullback] = tf.vjp(f, x, w);
    close(value, y);
    const [gx, gw] = pullback(dy);
    close(gx, tf.grads(f)([x, w], dy)[0]);
    // <dy, J dx> = <J^T dy, dx>
    close(tangent.mul(dy).sum(), gx.mul(dx).sum().add(gw.mul(dw).sum()));
    const [, push] = tf.linearize(f, x, w);
    close(push(dx, dw), tangent);
    close(push(dx, null), tf.jvp(f, [x, w], [dx, null])[1]);
    close(push(dx.mul(2), dw.mul(2)), tangent.mul(2));
    const e = 1e-3;
    close(
      f(x.add(dx.mul(e)), w)
        .sub(f(x.sub(dx.mul(e)), w))
        .div(2 * e),
      push(dx, null),
      1e-3,
    );
  });

  it('take any structure, numbers too', () => {
    const g = (p: { a: Tensor; b: Tensor[] }) => [p.a.mul(p.b[0]), p.b[0].square()];
    const [[y0, y1], [t0, t1]] = tf.jvp(g, [{ a: tf.scalar(3), b: [tf.scalar(4)] }], [{ a: 1, b: [2] }]);
    expect([y0, y1, t0, t1].map((t) => t.dataSync()[0])).toEqual([12, 16, 10, 16]);
    const [, pull] = tf.vjp(g, { a: tf.scalar(3), b: [tf.scalar(4)] });
    const [{ a, b }] = pull([1, 1]);
    expect([a.dataSync()[0], b[0].dataSync()[0]]).toEqual([4, 11]);
    const [y, t] = tf.jvp((x: Tensor) => x.square(), [3], [1]);
    expect([y.dataSync()[0], t.dataSync()[0]]).toEqual([9, 6]);
  });

  it('keep what they need: pullbacks outlive reading and disposing', () => {
    const x = X();
    const [y, pullback] = tf.vjp((v: Tensor) => tf.exp(tf.sin(v)), x);
    const wanted = tf
      .grad((v: Tensor) => tf.exp(tf.sin(v)).sum())(x)
      .dataSync();
    y.dataSync();
    y.dispose();
    close(pullback(tf.onesLike(x))[0], Array.from(wanted));
    close(
      pullback(tf.onesLike(x).mul(2))[0],
      Array.from(wanted, (v) => 2 * v),
    );
    pullback.dispose();
    expect(() => pullback(tf.onesLike(x))).toThrow(/disposed/);
  });

  it('nest, under jit and vmap too', () => {
    const cube = (x: Tensor) => x.mul(x).mul(x);
    const second = (x: Tensor) =>
      tf.jvp((v: Tensor) => tf.jvp(cube, [v], [tf.onesLike(v)])[1], [x], [tf.onesLike(x)])[1];
    const x = tf.tensor1d([1, 2, -3]);
    close(second(x), [6, 12, -18]);
    close(tf.jit(second)(x), [6, 12, -18]);
    close(tf.vmap((v: Tensor) => second(v))(x), [6, 12, -18]);
    close(tf.grad((v: Tensor) => tf.jvp(cube, [v], [tf.onesLike(v)])[1].sum())(x), [6, 12, -18]);
    close(tf.jvp((v: Tensor) => tf.grad((u: Tensor) => cube(u).sum())(v), [x], [tf.onesLike(x)])[1], [6, 12, -18]);
    const fourth = (n: number): ((v: Tensor) => Tensor) =>
      n === 0 ? (v) => tf.sin(v) : (v) => tf.jvp(fourth(n - 1), [v], [tf.onesLike(v)])[1];
    close(fourth(4)(tf.scalar(0.7)), [Math.sin(0.7)]);
  });

  it('do not move integers, and say what is wrong', () => {
    const n = tf.tensor1d([1, 2], 'int32');
    const [, t] = tf.jvp((x: Tensor, k: Tensor) => x.mul(k), [tf.ones([2]), n], [tf.ones([2]), null]);
    close(t, [1, 2]);
    close(tf.jvp((x: Tensor) => x.argMax(0), [X()], [X()])[1], [0, 0, 0, 0]);
    expect(() => tf.jvp((x: Tensor) => x, [X()], [])).toThrow(/one tangent for each/);
    expect(() => tf.jvp((x: Tensor) => x, [X()], [W()])).toThrow(/shape.*\[4,5\].*\[3,4\]/s);
    expect(() => tf.vjp((x: Tensor) => x.argMax(0), X())).toThrow(/float32/);
    expect(() => tf.vjp((x: Tensor) => x, X())[1](W())).toThrow(/dy must have the shape/);
  });
});

describe('jacobian, jacobianForward, hessian and hvp', () => {
  it('are what they are by hand', () => {
    const w = W();
    const x = tf.tensor1d(range(4));
    const f = (v: Tensor) => v.reshape([1, 4]).matMul(w).reshape([5]);
    close(tf.jacobian(f)(x), w.transpose());
    close(tf.jacobianForward(f)(x), w.transpose());
    const rosenbrock = (v: Tensor) => {
      const [a, b] = [v.slice([0], [1]), v.slice([1], [1])];
      return tf.sub(1, a).square().add(b.sub(a.square()).square().mul(100)).sum();
    };
    const at = tf.tensor1d([0.5, -1]);
    const h = [1200 * 0.25 + 400 + 2, -400 * 0.5, -400 * 0.5, 200];
    close(tf.hessian(rosenbrock)(at), h);
    close(tf.jacobianForward(tf.grad(rosenbrock))(at), h);
    close(tf.jit(tf.hessian(rosenbrock))(at), h);
    const [hv] = tf.hvp(rosenbrock, [at], [tf.tensor1d([1, 2])]);
    close(hv, [h[0] + 2 * h[1], h[2] + 2 * h[3]]);
    close(tf.vmap(tf.hessian(rosenbrock))(tf.stack([at, at])), [...h, ...h]);
  });

  it('take another argument, several results, and give zeros where nothing depends', () => {
    const f = (a: Tensor, b: Tensor) => ({ sum: a.add(b), first: a });
    const { sum, first } = tf.jacobian(f, 1)(tf.ones([2]), tf.ones([2]));
    close(sum, tf.eye(2));
    close(first, tf.zeros([2, 2]));
    close(tf.hessian((v: Tensor) => v.sum())(tf.ones([2])), tf.zeros([2, 2]));
    expect(() => tf.hessian((v: Tensor) => v)(tf.ones([2]))).toThrow(/one scalar/);
    expect(() => tf.jacobian(f, 2)(tf.ones([2]), tf.ones([2]))).toThrow(/argNum/);
    expect(() => tf.jacobian((v: Tensor) => v)(tf.ones([2], 'int32'))).toThrow(/float32/);
  });
});

describe('checkpoint and stopGradient', () => {
  it('gives the same gradients, also for what it closes over, in every way of working', () => {
    const [x, w] = [X(), tf.variable(W())];
    const f = (v: Tensor) =>
      tf
        .tanh(v.matMul(w as Tensor2D))
        .square()
        .sum();
    const [plain, made] = [tf.valueAndGrad(f)(x), tf.valueAndGrad(tf.checkpoint(f))(x)];
    close(made.value, plain.value);
    close(made.grad, plain.grad);
    const name = (w as tf.Variable).name;
    const wanted = tf.variableGrads(() => f(x) as tf.Scalar).grads[name];
    close(tf.variableGrads(() => tf.checkpoint(f)(x) as tf.Scalar).grads[name], wanted);
    const step = tf.jit((v: Tensor): Tensor => tf.variableGrads(() => tf.checkpoint(f)(v) as tf.Scalar).grads[name]);
    close(step(x), wanted);
    const rows = (g: (v: Tensor) => Tensor) =>
      tf.vmap((row: Tensor) => tf.grad((v: Tensor) => g(v.reshape([1, 4])))(row))(x);
    close(rows(tf.checkpoint(f)), rows(f));
    close(tf.hessian(tf.checkpoint(f))(x), tf.hessian(f)(x), 1e-4);
  });

  it('stops', () => {
    const x = tf.tensor1d([2, 3]);
    close(tf.grad((v: Tensor) => v.mul(tf.stopGradient(v)).sum())(x), [2, 3]);
    close(tf.jvp((v: Tensor) => v.mul(tf.stopGradient(v)), [x], [tf.ones([2])])[1], [2, 3]);
  });

  it('is differentiated through jit', () => {
    const f = tf.jit((v: Tensor) => v.square());
    close(tf.grad((v: Tensor) => f(v).sum())(tf.tensor1d([2, 3])), [4, 6]);
  });
});

/**
 * Linear algebra by its properties: residuals and orthogonality within a small multiple of n times float32's precision, on
 * matrices of every kind, computed by each compiling target. Values agree with the reference in rows.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { registerBackend, setBackend } from '../../src/tensor/backends.ts';
import * as api from '../../src/tensor/api/index.ts';
import * as base from '../../src/tensor/index.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { wasmBackend } from '../../src/tensor/wasm-backend.ts';
import { x64Backend } from '../../src/tensor/x64-backend.ts';
import { uniform } from './samples.ts';

const tf = { ...base, ...api };
const { linalg } = api;
const EPS = 2 ** -23;
registerBackend('x64', x64Backend);
registerBackend('wasm', wasmBackend);

const random = uniform(77);
const noise = (...shape: number[]): Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() * 2 - 1),
    shape,
  );
const largest = (x: Tensor): number => (x.size === 0 ? 0 : (tf.max(tf.abs(x)).dataSync()[0] as number));
const adjoint = (x: Tensor): Tensor =>
  tf.transpose(x, [...Array.from({ length: x.rank - 2 }, (_, i) => i), x.rank - 1, x.rank - 2]);
const identity = (n: number): Tensor => tf.eye(n) as Tensor;

/** The upper (or lower) triangle of a matrix, by plain JavaScript. */
function triangle(x: Tensor, upper: boolean): Tensor {
  const columns = x.shape[x.rank - 1];
  const rows = x.shape[x.rank - 2];
  const data = x.dataSync().map((value, i) => {
    const [row, column] = [Math.floor(i / columns) % rows, i % columns];
    return (upper ? column >= row : column <= row) ? value : 0;
  });
  return tf.tensor(data as Float32Array, x.shape);
}

/** |x - y| <= factor n eps (|y| or 1), by largest elements. */
function expectNear(x: Tensor, y: Tensor, n: number, factor = 4, scale = 1): void {
  expect(x.shape).toEqual(y.shape);
  const distance = largest(tf.sub(x, y));
  expect(distance).toBeLessThanOrEqual(factor * Math.max(1, n) * EPS * Math.max(scale, largest(y)));
}

const orthonormal = (q: Tensor): void => {
  const n = q.shape[q.rank - 1];
  const gram = tf.matMul(adjoint(q), q);
  expectNear(gram, tf.add(tf.zerosLike(gram), identity(n)), q.shape[q.rank - 2]);
};

const hilbert = (n: number): Tensor =>
  tf.tensor(Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => 1 / (i + j + 1))));

/** Matrices that a factorisation may meet, with their names. */
const general: [string, () => Tensor][] = [
  ['1 x 1', () => tf.tensor([[-3]])],
  ['zero', () => tf.zeros([5, 5])],
  ['identity', () => identity(9)],
  ['hilbert', () => hilbert(12)],
  ['of rank 2', () => tf.matMul(noise(20, 2), noise(2, 20))],
  ['square', () => noise(33, 33)],
  ['tall', () => noise(50, 7)],
  ['wide', () => noise(7, 50)],
  ['one row', () => noise(1, 20)],
  ['one column', () => noise(20, 1)],
  ['batched', () => noise(3, 2, 9, 6)],
  ['large', () => noise(150, 130)],
  ['tiny numbers', () => tf.mul(noise(6, 6), 1e-30)],
  ['huge numbers', () => tf.mul(noise(6, 6), 1e30)],
];

const gram = (x: Tensor): Tensor => tf.matMul(x, x, false, true);
const symmetric: [string, () => Tensor][] = [
  ['1 x 1', () => tf.tensor([[-3]])],
  ['zero', () => tf.zeros([5, 5])],
  ['identity', () => identity(9)],
  ['hilbert', () => hilbert(12)],
  ['of rank 2', () => gram(noise(20, 2))],
  ['indefinite', () => tf.add(noise(33, 33), 0)],
  ['repeated values', () => tf.sub(tf.mul(gram(linalg.qr(noise(30, 10))[0]), 3), identity(30))],
  ['batched', () => gram(noise(3, 2, 9, 9))],
  ['many', () => gram(noise(40, 4, 4))],
  ['large', () => gram(noise(150, 150))],
  ['tiny numbers', () => tf.mul(gram(noise(6, 6)), 1e-35)],
  ['huge numbers', () => tf.mul(gram(noise(6, 6)), 1e35)],
  ['graded', () => tf.mul(gram(noise(12, 12)), gram(tf.pow(10, tf.neg(tf.range(0, 6, 0.5)).reshape([12, 1]))))],
  [
    'a tridiagonal one',
    () =>
      tf.tensor(Array.from({ length: 40 }, (_, i) => Array.from({ length: 40 }, (_, j) => +(Math.abs(i - j) === 1)))),
  ],
].map(([name, make]) => [name, () => symmetrised((make as () => Tensor)())] as [string, () => Tensor]);

function symmetrised(x: Tensor): Tensor {
  return tf.add(tf.mul(x, 0.5), tf.mul(adjoint(x), 0.5));
}

describe.each(['x64', 'wasm'] as const)('linear algebra on %s', (backend) => {
  const here = async () => setBackend(backend);

  it.each(general)('qr, %s', async (_name, make) => {
    if (!(await here())) return;
    const a = make();
    const [m, n] = a.shape.slice(-2);
    for (const full of [false, true]) {
      const [q, r] = linalg.qr(a, full);
      expect(q.shape.slice(-2)).toEqual([m, full ? m : Math.min(m, n)]);
      expectNear(tf.matMul(q, r), a, Math.max(m, n), 4, 0);
      orthonormal(q);
      expect(largest(tf.sub(r, triangle(r, true)))).toBe(0);
    }
  });

  it.each(general)('lu, %s', async (_name, make) => {
    if (!(await here())) return;
    const a = make();
    const { lower, upper, permutation } = linalg.lu(a);
    const batch = a.shape.slice(0, -2).reduce((x, y) => x * y, 1);
    const [m, n] = a.shape.slice(-2);
    const rows = tf.gather(tf.reshape(a, [batch, m, n]), tf.reshape(permutation, [batch, m]), 1, 1);
    expectNear(tf.reshape(tf.matMul(lower, upper), [batch, m, n]), rows, Math.max(m, n), 8, 0);
    expect(largest(lower)).toBeLessThanOrEqual(1);
  });

  it.each([1, 2, 8, 33, 65, 150])('cholesky and solving, n = %d', async (n) => {
    if (!(await here())) return;
    const half = noise(n, n);
    const a = tf.add(tf.matMul(half, half, false, true), tf.mul(identity(n), n));
    const l = linalg.cholesky(a);
    expectNear(tf.matMul(l, l, false, true), a, n, 2, 0);
    const b = noise(n, 5);
    for (const x of [linalg.choleskySolve(l, b), linalg.solve(a, b)]) {
      expectNear(tf.matMul(a, x), b, n, 4);
    }
    const general = tf.add(noise(n, n), tf.mul(identity(n), 2));
    const x = linalg.solve(general, b);
    const size = largest(general) * largest(x) * n;
    expectNear(tf.matMul(general, x), b, n, 4, size);
    expectNear(tf.matMul(general, linalg.solve(general, b, true), true), b, n, 4, size * 4);
    const vector = noise(n);
    expectNear(tf.reshape(tf.matMul(a, tf.reshape(linalg.solve(a, vector), [n, 1])), [n]), vector, n, 4);
    expectNear(tf.matMul(a, linalg.inv(a)), identity(n), n, 4);
  });

  it('determinants of known matrices', async () => {
    if (!(await here())) return;
    expect(
      linalg
        .det([
          [2, 1],
          [5, 3],
        ])
        .dataSync()[0],
    ).toBeCloseTo(1, 5);
    expect(
      linalg
        .det([
          [0, 1],
          [1, 0],
        ])
        .dataSync()[0],
    ).toBe(-1);
    expect(
      linalg
        .det([
          [1, 2],
          [2, 4],
        ])
        .dataSync()[0],
    ).toBeCloseTo(0, 6);
    // A cyclic shift of n rows is n - 1 exchanges.
    for (const n of [1, 2, 3, 4, 40, 41]) {
      const shift = tf.tensor(
        Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => +(j === (i + 1) % n))),
      );
      expect(linalg.det(shift).dataSync()[0]).toBe(n % 2 === 1 ? 1 : -1);
    }
    const [sign, logarithm] = linalg.slogdet(tf.mul(identity(100), -1e3));
    expect(sign.dataSync()[0]).toBe(1);
    expect(logarithm.dataSync()[0]).toBeCloseTo(100 * Math.log(1e3), 2);
    const [zero, none] = linalg.slogdet(tf.zeros([3, 3]));
    expect(Math.abs(zero.dataSync()[0])).toBe(0);
    expect(none.dataSync()[0]).toBe(-Infinity);
    expect(linalg.logdet(tf.mul(identity(30), 4)).dataSync()[0]).toBeCloseTo(30 * Math.log(4), 4);
    expect(linalg.det(tf.zeros([2, 0, 0])).arraySync()).toEqual([1, 1]);
  });

  it('what is not positive definite has no cholesky factor', async () => {
    if (!(await here())) return;
    expect(
      linalg
        .cholesky([
          [1, 2],
          [2, 1],
        ])
        .arraySync(),
    ).toEqual([
      [1, 0],
      [2, Number.NaN],
    ]);
    expect(linalg.cholesky([[0]]).arraySync()).toEqual([[Number.NaN]]);
  });

  it.each(symmetric)('eigh, %s', async (_name, make) => {
    if (!(await here())) return;
    const a = make();
    const n = a.shape[a.rank - 1];
    const [values, vectors] = linalg.eigh(a);
    orthonormal(vectors);
    const scaled = tf.mul(vectors, tf.reshape(values, [...values.shape.slice(0, -1), 1, n]));
    expectNear(tf.matMul(a, vectors), scaled, n, 8, largest(a));
    const list = values.dataSync();
    for (let i = 1; i < list.length; i++) if (i % n !== 0) expect(list[i]).toBeGreaterThanOrEqual(list[i - 1]);
    expectNear(linalg.eigvalsh(a), values, n, 4);
  });

  it.each(general)('svd, %s', async (_name, make) => {
    if (!(await here())) return;
    const a = make();
    const [m, n] = a.shape.slice(-2);
    const k = Math.min(m, n);
    for (const full of [true, false]) {
      const [u, s, vt] = linalg.svd(a, full);
      expect([u.shape.slice(-2), s.shape.slice(-1), vt.shape.slice(-2)]).toEqual(
        full ? [[m, m], [k], [n, n]] : [[m, k], [k], [k, n]],
      );
      orthonormal(u);
      orthonormal(adjoint(vt));
      const rank = a.rank;
      const left = tf.slice(
        u,
        u.shape.map(() => 0),
        [...u.shape.slice(0, rank - 1), k],
      );
      const right = tf.slice(
        vt,
        vt.shape.map(() => 0),
        [...vt.shape.slice(0, rank - 2), k, n],
      );
      expectNear(tf.matMul(tf.mul(left, tf.expandDims(s, -2)), right), a, Math.max(m, n), 8, 0);
      const list = s.dataSync();
      for (let i = 0; i < list.length; i++) {
        expect(list[i]).toBeGreaterThanOrEqual(0);
        if (i % k !== 0) expect(list[i]).toBeLessThanOrEqual(list[i - 1]);
      }
      expectNear(linalg.svdvals(a), s, Math.max(m, n), 4, 0);
    }
  });

  it.each(general.filter(([name]) => !/numbers/.test(name)))('pinv, %s', async (_name, make) => {
    if (!(await here())) return;
    const a = make();
    const [m, n] = a.shape.slice(-2);
    const rcond = 1e-4;
    const p = linalg.pinv(a, rcond);
    // Moore and Penrose's conditions, as far as what was dropped allows.
    const size = largest(p) * largest(a) ** 2 * Math.max(m, n);
    expect(largest(tf.sub(tf.matMul(tf.matMul(a, p), a), a))).toBeLessThan(rcond * 4 * Math.max(1e-6, size));
    for (const projection of [tf.matMul(a, p), tf.matMul(p, a)]) {
      expectNear(projection, adjoint(projection), Math.max(m, n), 8, largest(p) * largest(a));
    }
  });

  it('least squares, ranks and condition numbers', async () => {
    if (!(await here())) return;
    const a = noise(30, 8);
    const b = noise(30, 3);
    const x = linalg.lstsq(a, b);
    expect(largest(tf.matMul(a, tf.sub(tf.matMul(a, x), b), true, false))).toBeLessThan(1e-4);
    // Underdetermined: the solution of least norm lies in the row space.
    const y = linalg.lstsq(adjoint(a), tf.ones([8]));
    expectNear(tf.reshape(tf.matMul(adjoint(a), tf.reshape(y, [30, 1])), [8]), tf.ones([8]), 8, 32);
    expectNear(
      tf.reshape(linalg.lstsq(a, tf.matMul(a, linalg.lstsq(a, tf.reshape(y, [30, 1])))), [8]),
      tf.reshape(linalg.lstsq(a, y), [8]),
      30,
      8,
    );
    expect(linalg.matrixRank(tf.matMul(noise(20, 3), noise(3, 9))).arraySync()).toBe(3);
    expect(linalg.matrixRank(tf.zeros([4, 3, 5])).arraySync()).toEqual([0, 0, 0, 0]);
    expect(linalg.matrixRank(tf.mul(identity(6), tf.range(0, 6)), 2.5).arraySync()).toBe(3);
    expect(linalg.cond(tf.mul(identity(4), [1, 2, 4, 8])).dataSync()[0]).toBeCloseTo(8, 4);
    expect(
      linalg
        .cond(
          [
            [1, 2],
            [3, 4],
          ],
          1,
        )
        .dataSync()[0],
    ).toBeCloseTo(21, 3);
    expect(
      linalg
        .cond(
          [
            [1, 1],
            [1, 1],
          ],
          'fro',
        )
        .dataSync()[0],
    ).not.toBeLessThan(1e6);
    // Norms of [[1, 2], [3, 4]]: the singular values are sqrt(15 +- sqrt(221)).
    const [s1, s2] = [Math.sqrt(15 + Math.sqrt(221)), Math.sqrt(15 - Math.sqrt(221))];
    const c = [
      [1, 2],
      [3, 4],
    ];
    const norms = ([2, -2, 'nuc', 'fro', 1, -1, Infinity, -Infinity] as const).map(
      (ord) => linalg.norm(c, ord).dataSync()[0],
    );
    [s1, s2, s1 + s2, Math.sqrt(30), 6, 4, 7, 3].forEach((expected, i) => expect(norms[i]).toBeCloseTo(expected, 4));
    expect(linalg.norm(noise(4, 5, 6), 2, [0, 2], true).shape).toEqual([1, 5, 1]);
    expect(linalg.norm([3, 4]).dataSync()[0]).toBeCloseTo(5, 5);
  });

  it('diagonals and cross products', async () => {
    if (!(await here())) return;
    expect(
      linalg
        .diag([
          [1, 2],
          [3, 4],
        ])
        .arraySync(),
    ).toEqual([
      [
        [1, 0],
        [0, 2],
      ],
      [
        [3, 0],
        [0, 4],
      ],
    ]);
    expect(linalg.setDiag(tf.zeros([2, 3]), [5, 6]).arraySync()).toEqual([
      [5, 0, 0],
      [0, 6, 0],
    ]);
    expect(linalg.setDiag(tf.ones([3, 2]), [5, 6]).arraySync()).toEqual([
      [5, 1],
      [1, 6],
      [1, 1],
    ]);
    expect(
      linalg
        .diagPart(
          tf.tensor([
            [1, 2, 3],
            [4, 5, 6],
          ]),
        )
        .arraySync(),
    ).toEqual([1, 5]);
    expect(
      linalg
        .trace(
          tf.tensor([
            [1, 2, 3],
            [4, 5, 6],
          ]),
        )
        .arraySync(),
    ).toBe(6);
    expect(
      linalg
        .cross(
          [
            [1, 0, 0],
            [0, 1, 0],
          ],
          [0, 1, 0],
        )
        .arraySync(),
    ).toEqual([
      [0, 0, 1],
      [0, 0, 0],
    ]);
  });

  it('eigenvalues in closed form', async () => {
    if (!(await here())) return;
    // The second difference: 2 - 2 cos(k pi / (n + 1)).
    for (const n of [5, 64, 200]) {
      const a = tf.tensor(
        Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => [2, -1][Math.abs(i - j)] ?? 0)),
      );
      const expected = Array.from({ length: n }, (_, k) => 2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)));
      expectNear(linalg.eigvalsh(a), tf.tensor(expected), n, 1, 4);
    }
    expect(
      linalg
        .eigh([
          [Number.NaN, 1],
          [1, 2],
        ])[0]
        .arraySync(),
    ).toEqual([Number.NaN, Number.NaN]);
  });

  it('exponentials and powers', async () => {
    if (!(await here())) return;
    const turn = linalg.expm([
      [0, -Math.PI / 2],
      [Math.PI / 2, 0],
    ]);
    expectNear(
      turn,
      tf.tensor([
        [0, -1],
        [1, 0],
      ]),
      8,
    );
    expectNear(
      linalg.expm([
        [0, 1, 2],
        [0, 0, 3],
        [0, 0, 0],
      ]),
      tf.tensor([
        [1, 1, 3.5],
        [0, 1, 3],
        [0, 0, 1],
      ]),
      8,
    );
    const scales = tf.tensor([-20, -1, 0, 1, 10, 50]);
    const diagonal = linalg.expm(tf.mul(identity(6), tf.reshape(scales, [6, 1])));
    const expected = tf.exp(scales).dataSync();
    linalg
      .diagPart(diagonal)
      .dataSync()
      .forEach((x, i) => {
        expect(Math.abs(x / expected[i] - 1)).toBeLessThan(2e-5);
      });
    // e^A e^-A = 1, and batches need different numbers of squarings.
    const a = tf.mul(noise(3, 10, 10), tf.tensor([0.01, 1, 2], [3, 1, 1]));
    const product = tf.matMul(linalg.expm(a), linalg.expm(tf.neg(a)));
    expectNear(product, tf.add(tf.zerosLike(product), identity(10)), 10, 500);
    const b = noise(5, 5);
    expectNear(linalg.matrixPower(b, 5), tf.matMul(b, tf.matMul(b, tf.matMul(b, tf.matMul(b, b)))), 5, 8);
    expectNear(linalg.matrixPower(b, 0), identity(5), 1);
    const c = tf.add(b, tf.mul(identity(5), 4));
    expectNear(tf.matMul(linalg.matrixPower(c, -2), tf.matMul(c, c)), identity(5), 5, 8);
  });

  it('gramSchmidt', async () => {
    if (!(await here())) return;
    const xs = noise(4, 6);
    const q = linalg.gramSchmidt(xs);
    expectNear(tf.matMul(q, q, false, true), identity(4), 6);
    // The first vector keeps its direction, and the coefficients are lower triangular with a positive diagonal.
    const coefficients = tf.matMul(xs, q, false, true);
    expect(largest(tf.sub(coefficients, triangle(coefficients, false)))).toBeLessThan(1e-5);
    expect(Math.min(...linalg.diagPart(coefficients).dataSync())).toBeGreaterThan(0);
    const list = linalg.gramSchmidt([tf.tensor1d([3, 4]), tf.tensor1d([1, 0])]);
    expectNear(list[0], tf.tensor([0.6, 0.8]), 2);
    expectNear(list[1], tf.tensor([0.8, -0.6]), 2);
  });

  it('the kronecker product', async () => {
    if (!(await here())) return;
    expect(
      linalg
        .kron(
          [[1, 2]],
          [
            [1, 1],
            [0, 3],
          ],
        )
        .arraySync(),
    ).toEqual([
      [1, 1, 2, 2],
      [0, 3, 0, 6],
    ]);
  });
});

/** d(f(a) . w) along a direction, by gradients and by central differences; then the same of that gradient itself. */
describe('gradients of functions of matrices', () => {
  const base = tf.tensor([
    [3, 1, -0.5, 0.2],
    [0.4, -2.5, 1, 0.3],
    [-0.6, 0.8, 1.8, -1],
    [0.5, -0.2, 0.7, 4],
  ]);
  const wide = tf.slice(base, [0, 0], [3, 4]);
  const definite = tf.add(tf.matMul(base, base, false, true), identity(4));
  const rhs = noise(4, 2);
  const cases: [string, Tensor, (a: Tensor) => Tensor][] = [
    ['inv', base, linalg.inv],
    ['solve', base, (a) => linalg.solve(a, rhs)],
    ['solve of the right side', rhs, (b) => linalg.solve(base, b)],
    ['solve of the transpose', base, (a) => linalg.solve(a, rhs, true)],
    ['det', tf.mul(base, 0.5), linalg.det],
    ['slogdet', base, (a) => linalg.slogdet(a)[1]],
    ['logdet', definite, linalg.logdet],
    ['choleskySolve', definite, (a) => linalg.choleskySolve(linalg.cholesky(a), rhs)],
    ['pinv', wide, (a) => linalg.pinv(a)],
    ['pinv of a tall one', tf.transpose(wide), (a) => linalg.pinv(a)],
    ['lstsq', tf.transpose(wide), (a) => linalg.lstsq(a, rhs)],
    ['expm', tf.mul(base, 0.3), linalg.expm],
    ['expm with squarings', base, (a) => tf.mul(linalg.expm(a), 0.05)],
    ['matrixPower', tf.mul(base, 0.5), (a) => linalg.matrixPower(a, 3)],
    ['nuclear norm', wide, (a) => linalg.norm(a, 'nuc')],
    ['spectral norm', wide, (a) => linalg.norm(a, 2)],
    ['cond', wide, (a) => linalg.cond(a)],
    ['eigvalsh', definite, linalg.eigvalsh],
    ['a full svd', wide, (a) => tf.matMul(linalg.svd(a)[2], tf.mul(linalg.svd(a)[2], 2), true, false)],
    ['trace', base, linalg.trace],
    ['kron', base, (a) => linalg.kron(a, rhs)],
  ];

  /** Linear ones: their gradients do not depend on the matrix. */
  const linear = new Set(['solve of the right side', 'trace', 'kron']);

  it.each(cases)('%s', async (name, at, f) => {
    if (!(await setBackend('x64'))) await setBackend('wasm');
    const direction = noise(...at.shape);
    const step = 4e-3;
    const check = (g: (a: Tensor) => Tensor, tolerance: number) => {
      const w = noise(...g(at).shape);
      const along = (a: Tensor) => tf.sum(tf.mul(g(a), w)) as never;
      const moved = (t: number) => tf.sum(along(tf.add(at, tf.mul(direction, t)))).dataSync()[0] as number;
      const numeric = (moved(step) - moved(-step)) / (2 * step);
      const gradient = tf.grad(along);
      const analytic = tf.sum(tf.mul(gradient(at), direction)).dataSync()[0] as number;
      expect(Math.abs(numeric - analytic)).toBeLessThan(tolerance * (1 + Math.abs(numeric)));
      return gradient;
    };
    const gradient = check(f, 0.01);
    if (!linear.has(name)) check((a) => gradient(a), 0.03);
  });
});

describe('errors', () => {
  const cases: [string, () => unknown, RegExp][] = [
    ['cholesky', () => linalg.cholesky(tf.ones([2, 3])), /^\[cholesky\] a must be square.*\[2,3\]/],
    ['inv rank', () => linalg.inv(tf.ones([3])), /^\[inv\] a must have rank 2 or more/],
    ['solve', () => linalg.solve(tf.ones([3, 3]), tf.ones([4, 1])), /^\[solve\] b must have one row for each/],
    ['gramSchmidt', () => linalg.gramSchmidt(tf.ones([3, 2])), /^\[gramSchmidt\] there can be at most/],
    ['matrixPower', () => linalg.matrixPower(tf.ones([2, 2]), 0.5), /^\[matrixPower\] n must be an integer/],
    ['lead', () => linalg.solve(tf.ones([2, 3, 3]), tf.ones([4, 3, 1])), /^\[solve\] shapes must broadcast/],
  ];
  it.each(cases)('%s', (_name, call, message) => {
    expect(call).toThrow(message);
  });
});

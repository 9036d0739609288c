/**
 * Scaled dot-product attention as rows: o = softmax(q kT + bias) v for each head, without the table of scores in memory, and its two
 * gradients. Scores are computed again in the gradients, from the logarithm of each row's sum (Dao et al. 2022, FlashAttention;
 * Rabe and Staats 2021). Gradients of the gradients are those of the same formulae in plain ops.
 */
import { fail } from '../base/errors.ts';
import type { Attrs, Value } from '../graph/graph.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import { type DType, newArray, type TypedArray } from '../types/dtype.ts';
import { reader } from './array.ts';
import { emitAttention, emitAttentionBackpropKeyValue, emitAttentionBackpropQuery } from './attention-kernels.ts';
import type { BatchingContext } from './batching.ts';
import { foldFirst, stacked } from './batching.ts';
import {
  add,
  apply,
  constantLike,
  exp,
  greater,
  identity,
  iota,
  matMul,
  mul,
  offset as plusNumber,
  reshape,
  select,
  sub,
  sum,
  sumTo,
  transpose,
  zerosLike,
} from './build.ts';
import type { GradientContext, NDArray, OpRow, Sample } from './row.ts';
import { boolAttr, expectDType, expectRank, f32, floats, intAttr, show } from './rule.ts';

const turned = (x: Value): Value => transpose(x, [0, 2, 1]);

/** Scores q kT + bias with -inf where a causal mask hides the key: key j is seen by query i if j <= i + offset. */
function scoresOf(q: Value, kT: Value, bias: Value | undefined, attrs: Attrs): Value {
  const plain = matMul(q, kT, false, false);
  const scores = bias ? add(plain, bias) : plain;
  if (!boolAttr(attrs, 'causal')) return scores;
  const hidden = greater(iota(scores.shape, 2), plusNumber(iota(scores.shape, 1), intAttr(attrs, 'offset')));
  return select(hidden, constantLike(scores, Number.NEGATIVE_INFINITY), scores);
}

/** exp(scores - logSumExp) [n, t, s], and p * (dO v^T - delta): the gradient of the scores. */
function tablesOf(
  inputs: { q: Value; kT: Value; vT: Value; dO: Value; lse: Value; delta: Value; bias: Value | undefined },
  attrs: Attrs,
): { p: Value; ds: Value } {
  const { q, kT, vT, dO, lse, delta, bias } = inputs;
  const column = (x: Value): Value => reshape(x, [...x.shape, 1]);
  const p = exp(sub(scoresOf(q, kT, bias, attrs), column(lse)));
  return { p, ds: mul(p, sub(matMul(dO, vT, false, false), column(delta))) };
}

function gradientOfAttention({ inputs, outputs, attrs }: GradientContext, dys: readonly (Value | null)[]) {
  const [q, kT, v, bias] = inputs;
  const [o, lse] = outputs;
  const dO = dys[0] ?? zerosLike(o);
  const inner = sum(mul(dO, o), [2]);
  const delta = dys[1] ? sub(inner, dys[1]) : inner;
  const [k, vT] = [turned(kT), turned(v)];
  const [dq] = apply('attentionBackpropQuery', [q, kT, k, vT, dO, lse, delta, ...(bias ? [bias] : [])], attrs);
  const others = [k, turned(q), q, v, turned(dO), dO, lse, delta, ...(bias ? [turned(bias)] : [])];
  const [dk, dv] = apply('attentionBackpropKeyValue', others, attrs);
  if (!bias) return [dq, turned(dk), dv];
  const { ds } = tablesOf({ q, kT, vT, dO, lse, delta, bias }, attrs);
  return [dq, turned(dk), dv, sumTo(ds, bias.shape)];
}

/** The gradient of a gradient: that of the formula. Inputs depend on each other (k on kT), so it is taken at copies that do not. */
function gradientOfQuery({ inputs: given, attrs, differentiate }: GradientContext, [dy]: readonly (Value | null)[]) {
  if (dy === null) return given.map(() => null);
  const inputs = given.map(identity);
  const [q, kT, k, vT, dO, lse, delta, bias] = inputs;
  const { ds } = tablesOf({ q, kT, vT, dO, lse, delta, bias }, attrs);
  // dq = ds k: its own two gradients by hand, so that no op is written that nobody reads.
  const grads = differentiate([ds], inputs, [matMul(dy, k, false, true)]);
  return grads.with(2, matMul(ds, dy, true, false));
}

function gradientOfKeyValue(
  { inputs: originals, attrs, differentiate }: GradientContext,
  dys: readonly (Value | null)[],
) {
  if (dys.every((dy) => dy === null)) return originals.map(() => null);
  const inputs = originals.map(identity);
  const [k, qT, q, v, dOT, dO, lse, delta, biasT] = inputs;
  const row = (x: Value): Value => reshape(x, [x.shape[0], 1, x.shape[1]]);
  // Transposed tables, from the inputs that the kernel takes them from.
  const plain = matMul(k, qT, false, false);
  const scores = biasT ? add(plain, biasT) : plain;
  const hidden = greater(iota(scores.shape, 1), plusNumber(iota(scores.shape, 2), intAttr(attrs, 'offset')));
  const shown = boolAttr(attrs, 'causal')
    ? select(hidden, constantLike(scores, Number.NEGATIVE_INFINITY), scores)
    : scores;
  const p = exp(sub(shown, row(lse)));
  const [dyK, dyV] = dys;
  const ys: Value[] = [];
  const given: Value[] = [];
  let [ofQ, ofdO]: (Value | null)[] = [null, null];
  // dk = ds q and dv = p dO: their own gradients by hand, so that no op is written that nobody reads.
  if (dyK) {
    const ds = mul(p, sub(matMul(v, dOT, false, false), row(delta)));
    ofQ = matMul(ds, dyK, true, false);
    ys.push(ds);
    given.push(matMul(dyK, q, false, true));
  }
  if (dyV) {
    ofdO = matMul(p, dyV, true, false);
    ys.push(p);
    given.push(matMul(dyV, dO, false, true));
  }
  return differentiate(ys, inputs, given).with(2, ofQ).with(5, ofdO);
}

// ---- shapes ------------------------------------------------------------------------------------------------------------

/** `type` is of the dtype of `like`, which has been looked at. */
function expectShape(op: string, like: TensorType, type: TensorType, shape: readonly number[], what: string): void {
  expectDType(op, type, [like.dtype], what);
  if (type.shape.length === shape.length && type.shape.every((extent, i) => extent === shape[i])) return;
  fail(op, `${what} must have shape [${shape}]`, `got ${show(type)}`, 'check batch, heads, length and depth');
}

function expectBias(op: string, like: TensorType, type: TensorType | undefined, [n, rows, columns]: Shape): void {
  if (!type) return;
  expectDType(op, type, [like.dtype], 'the bias');
  const [a, b, c] = type.shape;
  const fits = (extent: number, wanted: number) => extent === wanted || extent === 1;
  if (type.shape.length === 3 && fits(a, n) && fits(b, rows) && fits(c, columns)) return;
  fail(op, `the bias must have shape [${n} or 1, ${rows} or 1, ${columns}]`, `got ${show(type)}`);
}

function expectHeads(op: string, type: TensorType, what: string): void {
  expectDType(op, type, floats, what);
  expectRank(op, type, 3, what);
}

function inferAttention([q, kT, v, bias]: readonly TensorType[]): TensorType[] {
  for (const [type, what] of [[q, 'the queries [n, t, d]'] as const, [v, 'the values [n, s, e]'] as const]) {
    expectHeads('attention', type, what);
  }
  const [n, t, d] = q.shape;
  const [, s, e] = v.shape;
  if (s === 0) fail('attention', 'there must be at least one key', `got values of ${show(v)}`);
  expectShape('attention', q, v, [n, s, e], 'the values');
  expectShape('attention', q, kT, [n, d, s], 'the keys, transposed,');
  expectBias('attention', q, bias, [n, t, s]);
  return [
    { dtype: q.dtype, shape: [n, t, e] },
    { dtype: q.dtype, shape: [n, t] },
  ];
}

function inferQuery([q, kT, k, vT, dO, lse, delta, bias]: readonly TensorType[]): TensorType[] {
  const op = 'attentionBackpropQuery';
  expectHeads(op, q, 'the queries [n, t, d]');
  expectHeads(op, k, 'the keys [n, s, d]');
  expectHeads(op, dO, 'the gradient [n, t, e]');
  const [n, t, d] = q.shape;
  const [s, e] = [k.shape[1], dO.shape[2]];
  expectShape(op, q, k, [n, s, d], 'the keys');
  expectShape(op, q, kT, [n, d, s], 'the transposed keys');
  expectShape(op, q, vT, [n, e, s], 'the transposed values');
  expectShape(op, q, dO, [n, t, e], 'the gradient');
  expectShape(op, q, lse, [n, t], 'logSumExp');
  expectShape(op, q, delta, [n, t], 'delta');
  expectBias(op, q, bias, [n, t, s]);
  return [{ dtype: q.dtype, shape: [n, t, d] }];
}

function inferKeyValue([k, qT, q, v, dOT, dO, lse, delta, biasT]: readonly TensorType[]): TensorType[] {
  const op = 'attentionBackpropKeyValue';
  expectHeads(op, k, 'the keys [n, s, d]');
  expectHeads(op, q, 'the queries [n, t, d]');
  expectHeads(op, v, 'the values [n, s, e]');
  const [n, s, d] = k.shape;
  const [t, e] = [q.shape[1], v.shape[2]];
  expectShape(op, k, q, [n, t, d], 'the queries');
  expectShape(op, k, qT, [n, d, t], 'the transposed queries');
  expectShape(op, k, v, [n, s, e], 'the values');
  expectShape(op, k, dO, [n, t, e], 'the gradient');
  expectShape(op, k, dOT, [n, e, t], 'the transposed gradient');
  expectShape(op, k, lse, [n, t], 'logSumExp');
  expectShape(op, k, delta, [n, t], 'delta');
  expectBias(op, k, biasT, [n, s, t]);
  return [
    { dtype: k.dtype, shape: [n, s, d] },
    { dtype: k.dtype, shape: [n, s, e] },
  ];
}

// ---- the definition ----------------------------------------------------------------------------------------------------

type At = (...at: number[]) => number;

/** Score of query i and key j of head h, from matrices read as at(head, row, depth). */
function scoreOf(query: At, key: At, depth: number, bias: At | null, attrs: Attrs): At {
  return (h, i, j) => {
    if (boolAttr(attrs, 'causal') && j > i + intAttr(attrs, 'offset')) return Number.NEGATIVE_INFINITY;
    let total = bias ? bias(h, i, j) : 0;
    for (let d = 0; d < depth; d++) total += query(h, i, d) * key(h, j, d);
    return total;
  };
}

/** Reads where an extent of 1 serves all. */
function spreading(array: NDArray | undefined): At | null {
  if (!array) return null;
  const at = reader(array);
  return (...where) => at(...where.map((x, axis) => (array.shape[axis] === 1 ? 0 : x)));
}

const flipped =
  (at: At): At =>
  (h, i, j) =>
    at(h, j, i);

function evaluateAttention([q, kT, v, bias]: readonly NDArray[], attrs: Attrs) {
  const [n, t, depth] = q.shape;
  const [, s, width] = v.shape;
  const score = scoreOf(reader(q), flipped(reader(kT)), depth, spreading(bias), attrs);
  const value = reader(v);
  const o = newArray(q.dtype, n * t * width);
  const lse = newArray(q.dtype, n * t);
  for (let h = 0; h < n; h++) {
    for (let i = 0; i < t; i++) {
      const scores = Array.from({ length: s }, (_, j) => score(h, i, j));
      const most = scores.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), -3.4e38);
      const p = scores.map((x) => Math.exp(x - most));
      const total = p.reduce((a, b) => a + b, 0);
      lse[h * t + i] = total === 0 ? 0 : most + Math.log(total);
      for (let e = 0; e < width; e++) {
        const mix = p.reduce((sofar, x, j) => sofar + x * value(h, j, e), 0);
        o[(h * t + i) * width + e] = total === 0 ? 0 : mix / total;
      }
    }
  }
  return [o, lse];
}

/** Calls visit(h, i, j, p, ds) for every pair of a query and a key. */
function forPairs(
  shape: { n: number; t: number; s: number; e: number },
  score: At,
  value: At,
  dO: At,
  lse: At,
  delta: At,
  visit: (h: number, i: number, j: number, p: number, ds: number) => void,
): void {
  for (let h = 0; h < shape.n; h++) {
    for (let i = 0; i < shape.t; i++) {
      for (let j = 0; j < shape.s; j++) {
        const p = Math.exp(score(h, i, j) - lse(h, i));
        let dp = 0;
        for (let e = 0; e < shape.e; e++) dp += dO(h, i, e) * value(h, j, e);
        visit(h, i, j, p, p * (dp - delta(h, i)));
      }
    }
  }
}

/** Sums in double precision, rounded once at the end. */
function accumulator(dtype: DType, size: number): { readonly sums: Float64Array; rounded(): TypedArray } {
  const sums = new Float64Array(size);
  return { sums, rounded: () => (dtype === 'float64' ? sums : Float32Array.from(sums)) };
}

function evaluateQuery([q, kT, k, vT, dO, lse, delta, bias]: readonly NDArray[], attrs: Attrs) {
  const [n, t, depth] = q.shape;
  const [s, e] = [k.shape[1], dO.shape[2]];
  const score = scoreOf(reader(q), flipped(reader(kT)), depth, spreading(bias), attrs);
  const key = reader(k);
  const dq = accumulator(q.dtype, n * t * depth);
  const visit = (h: number, i: number, j: number, _: number, ds: number) => {
    for (let d = 0; d < depth; d++) dq.sums[(h * t + i) * depth + d] += ds * key(h, j, d);
  };
  forPairs({ n, t, s, e }, score, flipped(reader(vT)), reader(dO), reader(lse), reader(delta), visit);
  return [dq.rounded()];
}

function evaluateKeyValue([k, qT, q, v, dOT, dO, lse, delta, biasT]: readonly NDArray[], attrs: Attrs) {
  const [n, s, depth] = k.shape;
  const [t, e] = [q.shape[1], v.shape[2]];
  const bias = spreading(biasT);
  const score = scoreOf(flipped(reader(qT)), reader(k), depth, bias && flipped(bias), attrs);
  const [query, gradient] = [reader(q), reader(dO)];
  const [dk, dv] = [accumulator(k.dtype, n * s * depth), accumulator(k.dtype, n * s * e)];
  const visit = (h: number, i: number, j: number, p: number, ds: number) => {
    for (let d = 0; d < depth; d++) dk.sums[(h * s + j) * depth + d] += ds * query(h, i, d);
    for (let x = 0; x < e; x++) dv.sums[(h * s + j) * e + x] += p * gradient(h, i, x);
  };
  forPairs({ n, t, s, e }, score, reader(v), flipped(reader(dOT)), reader(lse), reader(delta), visit);
  return [dk.rounded(), dv.rounded()];
}

// ---- rows --------------------------------------------------------------------------------------------------------------

/** Heads are a batch: the new axis is merged into them. A bias that serves all heads goes on doing so. */
function batched(context: BatchingContext) {
  const { inputs, size, kind, attrs, outputs } = context;
  const n = inputs[0].shape[context.batched[0] ? 1 : 0];
  const merged = inputs.map((input, i) => {
    if (!context.batched[i] && input.shape[0] === 1 && n !== 1) return input;
    const whole = stacked(context, i);
    const one = whole.shape[1] === 1 && n !== 1;
    return foldFirst(one ? apply('broadcastTo', [whole], { shape: [size, n, ...whole.shape.slice(2)] })[0] : whole);
  });
  return apply(kind, merged, attrs).map((y, i) => reshape(y, [size, ...outputs[i].shape]));
}

interface Extents {
  readonly n: number;
  readonly t: number;
  readonly s: number;
  readonly d: number;
  readonly e: number;
  readonly causal?: boolean;
  readonly bias?: readonly number[];
}

const cases: readonly Extents[] = [
  { n: 1, t: 1, s: 1, d: 1, e: 1 },
  { n: 2, t: 3, s: 5, d: 4, e: 3 },
  { n: 1, t: 9, s: 17, d: 5, e: 8, bias: [1, 1, 17] },
  { n: 2, t: 7, s: 7, d: 8, e: 8, causal: true },
  { n: 3, t: 5, s: 9, d: 3, e: 2, causal: true, bias: [3, 5, 9] },
  { n: 1, t: 33, s: 50, d: 6, e: 20, causal: true },
  { n: 17, t: 10, s: 4, d: 2, e: 3, bias: [1, 10, 4] },
  { n: 1, t: 50, s: 97, d: 8, e: 9 },
  { n: 0, t: 4, s: 3, d: 2, e: 2 },
];

function samplesOf(inputs: (extents: Extents) => Sample['inputs']): Sample[] {
  return cases.map((x) => ({ inputs: inputs(x), attrs: { causal: x.causal === true, offset: x.s - x.t } }));
}

const biasInput = (shape: readonly number[] | undefined) => (shape ? [f32([...shape], -1, 1)] : []);
const tolerance = { absolute: 3e-5, relative: 2e-5 };
const pairs = (rows: number, columns: number, depth: number) => 2 * rows * columns * depth;

export const attentionRows = {
  attention: {
    name: 'attention',
    summary:
      'softmax(q kT + bias) v of each head without a table of scores, and the logarithm of each row of exponentials',
    arity: 'variadic',
    infer: inferAttention,
    gradient: gradientOfAttention,
    batching: batched,
    evaluate: evaluateAttention,
    lowering: {
      tag: 'kernel',
      emit: emitAttention,
      flops: (_, [[, t, d], , [, s, e]]) => (pairs(t, s, d) + pairs(t, s, e)) / Math.max(1, t * (e + 1)),
    },
    get samples() {
      return samplesOf(({ n, t, s, d, e, bias }) => [
        f32([n, t, d], -0.7, 0.7),
        f32([n, d, s], -0.7, 0.7),
        f32([n, s, e], -0.7, 0.7),
        ...biasInput(bias),
      ]);
    },
    tolerance,
  },
  attentionBackpropQuery: {
    name: 'attentionBackpropQuery',
    summary: 'gradient of attention for the queries',
    arity: 'variadic',
    infer: inferQuery,
    gradient: gradientOfQuery,
    batching: batched,
    evaluate: evaluateQuery,
    lowering: {
      tag: 'kernel',
      emit: emitAttentionBackpropQuery,
      flops: (_, [[, , d], , [, s], , [, , e]]) => (2 * s * (2 * d + e)) / Math.max(1, d),
    },
    get samples() {
      return samplesOf(({ n, t, s, d, e, bias }) => [
        f32([n, t, d], -0.7, 0.7),
        f32([n, d, s], -0.7, 0.7),
        f32([n, s, d], -0.7, 0.7),
        f32([n, e, s], -0.7, 0.7),
        f32([n, t, e], -0.7, 0.7),
        f32([n, t], 2, 4),
        f32([n, t], -0.7, 0.7),
        ...biasInput(bias),
      ]);
    },
    tolerance,
  },
  attentionBackpropKeyValue: {
    name: 'attentionBackpropKeyValue',
    summary: 'gradients of attention for the keys and the values',
    arity: 'variadic',
    infer: inferKeyValue,
    gradient: gradientOfKeyValue,
    batching: batched,
    evaluate: evaluateKeyValue,
    lowering: {
      tag: 'kernel',
      emit: emitAttentionBackpropKeyValue,
      flops: (_, [[, , d], , [, t], [, , e]]) => (4 * t * (d + e)) / Math.max(1, d + e),
    },
    get samples() {
      return samplesOf(({ n, t, s, d, e, bias }) => [
        f32([n, s, d], -0.7, 0.7),
        f32([n, d, t], -0.7, 0.7),
        f32([n, t, d], -0.7, 0.7),
        f32([n, s, e], -0.7, 0.7),
        f32([n, e, t], -0.7, 0.7),
        f32([n, t, e], -0.7, 0.7),
        f32([n, t], 2, 4),
        f32([n, t], -0.7, 0.7),
        ...biasInput(bias && [bias[0], bias[2], bias[1]]),
      ]);
    },
    tolerance,
  },
} satisfies Record<string, OpRow>;

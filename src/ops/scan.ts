/**
 * The row of loops over the first axis of tensors. scan(carry..., xs..., invariants...) runs its body once for each slice of the
 * xs: body(carry, x, invariants) -> (carry, y). It gives the last carry and the ys, stacked.
 */
import { invariant } from '../base/errors.ts';
import type { Attrs, Value } from '../graph/graph.ts';
import { SubGraph } from '../graph/subgraph.ts';
import { newArray } from '../types/dtype.ts';
import type { TensorType } from '../types/shape.ts';
import { sameShape, sizeOf } from '../types/shape.ts';
import { inBody } from './body.ts';
import { add, matMul, mul, parameter, reshape, sub, sum, tanh } from './build.ts';
import { evaluateGraph } from './evaluate.ts';
import type { NDArray, OpRow, Sample } from './row.ts';
import { boolAttr, f32, i32, intAttr, show } from './rule.ts';
import { batchScan } from './scan-batching.ts';
import { scanGradient } from './scan-gradient.ts';

/** A sub-graph of an operation. */
export function graphAttr(attrs: Attrs, name: string): SubGraph {
  const value = attrs[name];
  invariant(value instanceof SubGraph, `attribute ${name} must be a graph`);
  return value;
}

export interface ScanParts {
  readonly body: SubGraph;
  readonly length: number;
  readonly reverse: boolean;
  /** How many of the inputs (and of the body's params) are carries, and how many are xs; the rest are invariants. */
  readonly carries: number;
  readonly xs: number;
}

export function scanParts(attrs: Attrs): ScanParts {
  return {
    body: graphAttr(attrs, 'body'),
    length: intAttr(attrs, 'length'),
    reverse: boolAttr(attrs, 'reverse'),
    carries: intAttr(attrs, 'carries'),
    xs: intAttr(attrs, 'xs'),
  };
}

function isType(type: TensorType, wanted: TensorType): boolean {
  return type.dtype === wanted.dtype && sameShape(type.shape, wanted.shape);
}

function infer(inputs: readonly TensorType[], attrs: Attrs): TensorType[] {
  const { body, length, carries, xs } = scanParts(attrs);
  invariant(inputs.length === body.params.length, `scan has ${inputs.length} inputs, its body ${body.params.length}`);
  inputs.forEach((input, i) => {
    const stacked = i >= carries && i < carries + xs;
    const { dtype, shape } = body.params[i];
    const wanted = { dtype, shape: stacked ? [length, ...shape] : shape };
    invariant(isType(input, wanted), `scan: input ${i} is ${show(input)}, the body takes ${show(wanted)}`);
  });
  return body.results.map(({ dtype, shape }, i) => {
    if (i >= carries) return { dtype, shape: [length, ...shape] };
    invariant(
      isType({ dtype, shape }, inputs[i]),
      `scan: carry ${i} turns from ${show(inputs[i])} into ${dtype}[${shape}]`,
    );
    return { dtype, shape };
  });
}

function slice(array: NDArray, t: number, type: TensorType): NDArray {
  const size = sizeOf(type.shape);
  return { dtype: array.dtype, shape: type.shape, data: array.data.slice(t * size, (t + 1) * size) };
}

function evaluate(inputs: readonly NDArray[], attrs: Attrs, outputs: readonly TensorType[]) {
  const { body, length, reverse, carries, xs } = scanParts(attrs);
  let carry = inputs.slice(0, carries);
  const ys = outputs.slice(carries).map((type) => newArray(type.dtype, sizeOf(type.shape)));
  for (let i = 0; i < length; i++) {
    const t = reverse ? length - 1 - i : i;
    const feeds = new Map<Value, NDArray>();
    body.params.forEach((param, p) => {
      const stacked = p >= carries && p < carries + xs;
      feeds.set(param, p < carries ? carry[p] : stacked ? slice(inputs[p], t, param) : inputs[p]);
    });
    const results = evaluateGraph(body.results, feeds);
    carry = results.slice(0, carries);
    ys.forEach((y, k) => {
      y.set(results[carries + k].data, t * results[carries + k].data.length);
    });
  }
  return [...carry.map((array) => array.data.slice()), ...ys];
}

// ---- samples -----------------------------------------------------------------------------------------------------------

type BodyOf = (params: readonly Value[]) => Value[];

function sample(
  inputs: Sample['inputs'],
  parts: { readonly carries: number; readonly xs: number; readonly length: number; readonly reverse?: boolean },
  write: BodyOf,
): Sample {
  const { carries, xs, length, reverse = false } = parts;
  const params = inputs.map(({ dtype, shape }, i) =>
    parameter(dtype, i >= carries && i < carries + xs ? shape.slice(1) : shape),
  );
  const body = new SubGraph(
    params,
    inBody(null, () => write(params)),
  );
  return { inputs, attrs: { body, length, reverse, carries, xs } };
}

/** h = tanh(x W + h U + b), with h as y: a recurrent net. */
const recurrent: BodyOf = ([h, x, w, u, b]) => {
  const next = tanh(add(add(matMul(x, w), matMul(h, u)), b));
  return [next, next];
};

/** Two carries that change places, one of integers that counts, and a y that is what was. */
const exchange: BodyOf = ([a, b, n, x]) => [sub(b, x), mul(a, x), add(n, n), add(a, reshape(sum(b, [0], true), [1]))];

function samples(): Sample[] {
  const net = (length: number, batch: number, units: number, reverse = false) =>
    sample(
      [
        f32([batch, units]),
        f32([length, batch, 3]),
        f32([3, units], -1, 1),
        f32([units, units], -0.5, 0.5),
        f32([units]),
      ],
      { carries: 1, xs: 1, length, reverse },
      recurrent,
    );
  const swap = (length: number, size: number, reverse = false) =>
    sample([f32([size]), f32([size]), i32([3]), f32([length, size])], { carries: 3, xs: 1, length, reverse }, exchange);
  const sums = sample([f32([3]), f32([5, 3])], { carries: 1, xs: 1, length: 5 }, ([c, x]) => [add(c, x)]);
  const noCarry = sample([f32([5, 9])], { carries: 0, xs: 1, length: 5 }, ([x]) => [mul(x, x), x]);
  return [
    ...[0, 1, 2, 7].map((length) => net(length, 2, 5)),
    net(3, 5, 17, true),
    ...[0, 1, 4].map((length) => swap(length, 3)),
    swap(3, 9, true),
    sums,
    noCarry,
  ];
}

let drawn: readonly Sample[] | null = null;

export const scanRows = {
  scan: {
    name: 'scan',
    summary: 'runs a graph for each slice along the first axis, passing a carry on',
    arity: 'variadic',
    infer,
    gradient: scanGradient,
    batching: batchScan,
    evaluate,
    lowering: {
      tag: 'loops',
      loops(attrs) {
        const { body, length, reverse, carries, xs } = scanParts(attrs);
        return [{ body, count: length, reverse, carries, xs }];
      },
    },
    // Made when they are asked for: bodies are written with builders, which need the whole table.
    get samples() {
      drawn ??= samples();
      return drawn;
    },
    tolerance: { absolute: 1e-4, relative: 1e-4 },
  },
} satisfies Record<string, OpRow>;

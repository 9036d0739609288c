/**
 * Random graphs: 5 to 50 steps over small tensors, with every row of the op table among them, every value kept bounded, so that a
 * wrong target shows and rounding does not. Choices that would jump at a rounding error (comparisons, gather) are made on inputs,
 * which are exact. Mixed ones have inputs and casts of every dtype, and integers that are computed beside the floats (whole.ts).
 */
import { UserError } from '../../src/base/errors.ts';
import type { Value } from '../../src/graph/graph.ts';
import * as build from '../../src/ops/build.ts';
import * as composite from '../../src/ops/composite.ts';
import type { NDArray, OpRow, Sample } from '../../src/ops/row.ts';
import { table } from '../../src/ops/table.ts';
import type { DType } from '../../src/types/dtype.ts';
import { isFloat } from '../../src/types/dtype.ts';
import { sizeOf } from '../../src/types/shape.ts';
import { sampleArrays, uniform } from '../conformance/samples.ts';
import { Wholes } from './whole.ts';

export interface Generated {
  readonly outputs: readonly Value[];
  /** Float parameters, for gradients. */
  readonly parameters: readonly Value[];
  readonly feeds: Map<Value, NDArray>;
}

/** Rows that a generated graph may hold: not what is fed, nor what has no inputs. */
const rows = Object.values<OpRow>(table).filter((row) => row.arity !== 0 && row.samples.length > 0);
/**
 * Not continuous although they have a gradient; or, as factorizations, without one where a matrix happens to be singular or has
 * equal singular values or eigenvalues (what is filled up is of low rank): these get matrices of their samples.
 */
const jumping = new Set(['mod', 'qr', 'householder', 'lu', 'svd', 'eigh', 'eig', 'cholesky', 'triangularSolve']);

/** What floats are made of; most of them what most graphs are made of. */
const floats: readonly DType[] = ['float32', 'float32', 'float32', 'float64', 'float64', 'float16', 'bfloat16'];
/** Rows whose dtypes are what they are: bits. */
const fixed = new Set(['bitcast']);
const extents = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17];
const LARGEST = 3000;

export class Generator {
  readonly #random: () => number;
  readonly #values: Value[] = [];
  readonly #ends: Value[] = [];
  readonly #parameters: Value[] = [];
  readonly #feeds = new Map<Value, NDArray>();
  readonly #wholes: Wholes | null;
  #seed: number;

  /** A mixed graph has values of every dtype, another one float32 and what rows make of it. */
  constructor(seed: number, mixed = false) {
    this.#random = uniform(seed);
    this.#seed = seed;
    const feed = this.#fed.bind(this);
    this.#wholes = mixed ? new Wholes({ random: this.#random, feed, extents, largest: LARGEST }) : null;
  }

  run(): Generated {
    for (let i = 0; i < 3; i++) this.#input(Array.from({ length: this.#below(4) }, () => this.#pick(extents)));
    const steps = 5 + this.#below(46);
    for (let i = 0; i < steps; i++) {
      const value = this.#wideStep(this.#any());
      // From an empty one nothing else follows.
      if (sizeOf(value.shape) === 0) this.#ends.push(value);
      else if (sizeOf(value.shape) <= LARGEST) this.#values.push(value);
    }
    const used = [...this.#values, ...(this.#wholes?.values ?? [])].filter((value) => value.uses === 0);
    return { outputs: [...used, ...this.#ends], parameters: this.#parameters, feeds: this.#feeds };
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)];
  }

  /** Recent values more often, so that chains grow. */
  #any(): Value {
    const back = Math.floor(this.#random() ** 2 * this.#values.length);
    return this.#values[this.#values.length - 1 - back];
  }

  #fed(dtype: DType, shape: readonly number[], low: number, high: number): Value {
    const value = build.parameter(dtype, shape);
    this.#feeds.set(value, sampleArrays({ inputs: [{ dtype, shape, low, high }] }, ++this.#seed)[0]);
    return value;
  }

  #input(shape: readonly number[], dtype = this.#wholes ? this.#pick(floats) : 'float32'): Value {
    const kept = shape.slice();
    while (sizeOf(kept) > LARGEST) kept[kept.indexOf(Math.max(...kept))] = 2;
    const value = this.#fed(dtype, kept, -1.5, 1.5);
    this.#parameters.push(value);
    this.#values.push(value);
    return value;
  }

  /** A step from x; from x as float32 where it is of a dtype that the step refuses. */
  #wideStep(x: Value): Value {
    try {
      return this.#step(x);
    } catch (error) {
      if (!(error instanceof UserError) || x.dtype === 'float32') throw error;
      return this.#step(build.cast(x, 'float32'));
    }
  }

  #step(x: Value): Value {
    const wholes = this.#wholes;
    const kinds = [
      ...(wholes ? [() => this.#recast(x), () => this.#fromWhole(wholes), () => this.#fromWhole(wholes)] : []),
      () => this.#unary(x),
      () => this.#unary(x),
      () => this.#binary(x),
      () => this.#binary(x),
      () => this.#binary(x),
      () => this.#reduce(x),
      () => this.#move(x),
      () => this.#move(x),
      () => this.#choose(x),
      () => this.#matMul(x),
      () => this.#image(x),
      () => this.#gather(x),
      () => this.#softmax(x),
      () => this.#row(x),
      () => this.#row(x),
      () => this.#eig(x),
    ];
    return this.#pick(kinds)();
  }

  #recast(x: Value): Value {
    return build.cast(x, this.#pick(floats));
  }

  /** Some steps among integers, and a number below 1 of the last of them; or elements of a float at places that are computed. */
  #fromWhole(wholes: Wholes): Value {
    for (let i = this.#below(4); i >= 0; i--) wholes.step();
    const x = this.#any();
    const axis = this.#below(Math.max(1, x.shape.length));
    if (x.shape.length > 0 && this.#random() < 0.3) return build.gather(x, wholes.places(x.shape[axis]), axis);
    const y = build.cast(wholes.any(), this.#pick(floats));
    return build.tanh(build.scale(y, 2 ** -this.#below(8)));
  }

  /** What stays the same whatever the order of eigenvalues and the scale of vectors, of a matrix whose eigenvalues lie apart. */
  #eig(x: Value): Value {
    const n = 1 + this.#below(5);
    const apart = this.#fed('float32', [n, n], 0, 0);
    const { data } = this.#feeds.get(apart)!;
    for (let i = 0; i < n; i++) data[i * n + i] = 1.5 * i;
    for (let i = 0; i + 1 < n && this.#random() < 0.5; i += 2) {
      data[(i + 1) * n + i + 1] = 1.5 * i;
      data[i * n + i + 1] = 0.7;
      data[(i + 1) * n + i] = -0.7;
    }
    const [re, im, vre, vim] = build.eig(build.add(apart, this.#fitted(build.cast(x, 'float32'), [n, n], -0.1, 0.1)));
    const sizes = build.add(build.square(vre), build.square(vim));
    const of = this.#pick([
      () => build.tanh(build.sum(build.tanh(re))),
      () => build.tanh(build.sum(build.sub(build.square(re), build.square(im)))),
      () => build.tanh(build.sum(build.square(im))),
      () => build.tanh(build.sum(build.mul(sizes, re), [1])),
      () => build.tanh(build.sum(build.mul(sizes, build.square(im)), [1])),
    ]);
    return of();
  }

  #unary(x: Value): Value {
    const functions: ((x: Value) => Value)[] = [
      build.tanh,
      build.sigmoid,
      build.sin,
      build.cos,
      build.neg,
      build.relu,
      build.erf,
      composite.softplus,
      composite.elu,
      composite.gelu,
      (v) => build.square(build.tanh(v)),
      (v) => build.exp(build.tanh(v)),
      (v) => build.sqrt(build.offset(build.square(v), 0.5)),
      (v) => build.log(build.offset(build.square(v), 0.5)),
      (v) => build.reciprocal(build.offset(build.square(v), 1)),
      (v) => build.rsqrt(build.offset(build.square(v), 1)),
      (v) => build.scale(v, 0.75),
      (v) => build.offset(v, 0.25),
      build.stopGradient,
    ];
    return this.#pick(functions)(x);
  }

  /** A partner that broadcasts with x: another value, if one does, or its mean. */
  #partner(x: Value): Value {
    const fits = (y: Value) => {
      const lead = x.shape.length - y.shape.length;
      return y.shape.every((n, i) => i + lead < 0 || n === 1 || x.shape[i + lead] === 1 || n === x.shape[i + lead]);
    };
    const y = this.#pick(this.#values.filter(fits).concat(build.mean(this.#any())));
    if (this.#random() > 0.2) return y;
    return this.#input(x.shape.map((n) => (this.#random() < 0.5 ? 1 : n)));
  }

  #binary(x: Value): Value {
    const y = this.#partner(x);
    const functions: ((a: Value, b: Value) => Value)[] = [
      build.add,
      build.sub,
      (a, b) => build.tanh(build.mul(a, b)),
      (a, b) => build.tanh(build.squaredDifference(a, b)),
      build.maximum,
      build.minimum,
      (a, b) => build.tanh(build.div(a, build.offset(build.square(b), 1))),
    ];
    const [a, b] = this.#random() < 0.5 ? [x, y] : [y, x];
    const result = this.#pick(functions)(a, b);
    return this.#random() < 0.3 ? build.tanh(result) : result;
  }

  #reduce(x: Value): Value {
    const axes = x.shape.flatMap((_, axis) => (this.#random() < 0.5 ? [axis] : []));
    const f = this.#pick([
      build.mean,
      build.max,
      build.min,
      (v: Value, a: number[], k: boolean) => build.tanh(build.sum(v, a, k)),
    ]);
    return f(x, axes, this.#random() < 0.5);
  }

  #move(x: Value): Value {
    const rank = x.shape.length;
    if (rank === 0) return build.broadcastTo(x, [this.#pick(extents)]);
    const axis = this.#below(rank);
    const moves: (() => Value)[] = [
      () =>
        build.transpose(
          x,
          shuffled(
            x.shape.map((_, i) => i),
            this.#random,
          ),
        ),
      () => build.reverse(x, [axis]),
      () => {
        const begin = x.shape.map((n) => this.#below(n));
        const strides = x.shape.map(() => 1 + this.#below(2));
        const size = x.shape.map((n, i) => Math.ceil((n - begin[i]) / strides[i]));
        return build.slice(x, begin, size, strides);
      },
      () =>
        build.pad(
          x,
          x.shape.map(() => [this.#below(3), this.#below(3)] as const),
          0.5,
        ),
      () => build.concat([x, x, build.tanh(x)], axis),
      () => build.reshape(x, [sizeOf(x.shape)]),
      () => build.reshape(x, [1, ...x.shape]),
      () =>
        build.reshape(
          x,
          x.shape.filter((n) => n !== 1),
        ),
      () => build.broadcastTo(x, [2, ...x.shape]),
    ];
    return this.#pick(moves)();
  }

  /** A choice by a comparison of inputs. */
  #choose(x: Value): Value {
    const test = this.#input(x.shape);
    const condition = build.greater(build.stopGradient(test), build.constantLike(test, 0));
    return build.select(condition, x, build.tanh(build.scale(x, 2)));
  }

  #matMul(x: Value): Value {
    const flat = x.shape.length >= 2 ? x : build.reshape(x, [1, sizeOf(x.shape)]);
    const [transposeA, transposeB] = [this.#random() < 0.5, this.#random() < 0.5];
    const inner = flat.shape[flat.shape.length - (transposeA ? 2 : 1)];
    const n = this.#pick(extents);
    const y = this.#input(transposeB ? [n, inner] : [inner, n], x.dtype);
    const fits = y.shape[transposeB ? 1 : 0] === inner;
    return fits ? build.tanh(build.matMul(flat, y, transposeA, transposeB)) : build.neg(x);
  }

  #image(x: Value): Value {
    const size = sizeOf(x.shape);
    const channels = this.#pick([1, 2, 3, 8].filter((c) => size % c === 0));
    const width = this.#pick([1, 2, 3, 4, 5, 6, 7].filter((w) => (size / channels) % w === 0));
    const image = build.reshape(x, [1, size / channels / width, width, channels]);
    const [h, w] = [image.shape[1], image.shape[2]];
    const filter = [1 + this.#below(Math.min(3, h)), 1 + this.#below(Math.min(3, w))];
    const strides = [1 + this.#below(3), 1 + this.#below(3)];
    const pads = [filter[0], filter[0], filter[1], filter[1]].map((n) => this.#below(n));
    switch (this.#below(3)) {
      case 0:
        return build.maxPool(image, { filter, strides, pads })[0];
      case 1:
        return build.avgPool(image, { filter, strides, pads });
      default: {
        const weights = this.#input([filter[0], filter[1], channels, this.#pick([1, 2, 5, 8])], x.dtype);
        const same = weights.shape[0] === filter[0] && weights.shape[1] === filter[1] && weights.shape[2] === channels;
        if (!same) return build.neg(x);
        return build.tanh(build.conv(image, weights, { strides, dilations: [1, 1], pads, groups: 1 }));
      }
    }
  }

  #gather(x: Value): Value {
    if (x.shape.length === 0) return build.cos(x);
    const axis = this.#below(x.shape.length);
    const indices = this.#fed('int32', [this.#pick([1, 3, 5])], 0, x.shape[axis]);
    return build.gather(x, indices, axis);
  }

  /** Any row of the table on one of its samples: the first float input is made of x where a rounding error cannot make it jump. */
  #row(x: Value): Value {
    const row = this.#pick(rows);
    const sample = this.#pick(row.samples);
    if (sample.inputs.reduce((n, input) => n + sizeOf(input.shape), 0) > LARGEST) return build.sin(x);
    const smooth = row.gradient !== 'constant' && !jumping.has(row.name);
    const place = smooth ? sample.inputs.findIndex((input) => input.dtype === 'float32') : -1;
    // Loops have graphs of their own dtypes; bits are those of float32.
    const asIs = this.#wholes === null || row.lowering.tag === 'loops' || fixed.has(row.name);
    const real = asIs ? 'float32' : this.#pick(floats);
    const inputs = sample.inputs.map((input, i) => {
      const { shape, low = -2, high = 2 } = input;
      const dtype = input.dtype === 'float32' ? real : input.dtype;
      if (i === place) return this.#fitted(build.cast(x, real), shape, low, high);
      const value = build.parameter(dtype, shape);
      this.#feeds.set(value, sampleArrays({ inputs: [{ ...input, dtype }] }, ++this.#seed)[0]);
      if (isFloat(dtype) && smooth) this.#parameters.push(value);
      return value;
    });
    const made = applied(row, inputs, sample).filter((y) => isFloat(y.dtype));
    if (made.length === 0 || sizeOf(made[0].shape) > LARGEST) return build.cos(x);
    return build.tanh(build.scale(this.#pick(made), 0.3));
  }

  /** x with another shape (cut off, or filled up) and its values in a range. */
  #fitted(x: Value, shape: readonly number[], low: number, high: number): Value {
    const size = sizeOf(shape);
    const flat = build.reshape(x, [sizeOf(x.shape)]);
    const cut = build.slice(flat, [0], [Math.min(size, sizeOf(x.shape))]);
    const filled = build.reshape(build.pad(cut, [[0, size - cut.shape[0]]], 0.3), shape);
    return build.offset(build.scale(build.tanh(filled), (high - low) / 2), (high + low) / 2);
  }

  #softmax(x: Value): Value {
    if (x.shape.length === 0) return build.sigmoid(x);
    const axis = this.#below(x.shape.length);
    return this.#random() < 0.5 ? composite.softmax(x, axis) : build.tanh(composite.logSoftmax(x, axis));
  }
}

/** The row on these inputs; as float32 where it refuses float64. */
function applied(row: OpRow, inputs: readonly Value[], { attrs }: Sample): readonly Value[] {
  try {
    return build.apply(row.name, inputs, attrs);
  } catch (error) {
    if (!(error instanceof UserError) || !inputs.some(({ dtype }) => dtype === 'float64')) throw error;
    const narrow = inputs.map((x) => (x.dtype === 'float64' ? build.cast(x, 'float32') : x));
    return build.apply(row.name, narrow, attrs);
  }
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const out = list.slice();
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/**
 * The part of a random graph that is exact: integers and bools of every dtype, which have to agree to the bit. What wraps wraps alike
 * everywhere; floats come in as inputs only. Knows no tolerance.
 */
import { UserError } from '../../src/base/errors.ts';
import type { Value } from '../../src/graph/graph.ts';
import * as build from '../../src/ops/build.ts';
import * as composite from '../../src/ops/composite.ts';
import type { DType } from '../../src/types/dtype.ts';
import { dtypes, isFloat } from '../../src/types/dtype.ts';
import { sizeOf } from '../../src/types/shape.ts';

interface Source {
  readonly random: () => number;
  /** An input of numbers in [low, high). */
  readonly feed: (dtype: DType, shape: readonly number[], low: number, high: number) => Value;
  readonly extents: readonly number[];
  readonly largest: number;
}

const integers: readonly DType[] = ['int8', 'uint8', 'int32', 'int64', 'int64'];
const every: readonly DType[] = [...integers, 'bool'];
const reals: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

/** Ranges that reach what each dtype holds, and numbers that overflow when they meet. */
function rangeOf(dtype: DType, large: boolean): readonly [number, number] {
  if (dtype === 'bool') return [0, 2];
  const low = dtype === 'uint8' ? 0 : -1;
  return large ? [low * 2 ** (8 * dtypes[dtype].bytes - 1), 2 ** (8 * dtypes[dtype].bytes - 1)] : [low * 9, 10];
}

export class Wholes {
  readonly values: Value[] = [];
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  #below(n: number): number {
    return Math.floor(this.#source.random() * n);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)];
  }

  #feed(dtype: DType, shape: readonly number[]): Value {
    return this.#source.feed(dtype, shape, ...rangeOf(dtype, this.#below(3) === 0));
  }

  any(): Value {
    if (this.values.length < 2) this.step();
    return this.#pick(this.values);
  }

  /** One value more. */
  step(): void {
    const { extents, largest } = this.#source;
    const shape = Array.from({ length: this.#below(4) }, () => this.#pick(extents));
    const fits = sizeOf(shape) <= largest / 4;
    const value = this.values.length < 2 ? this.#feed(this.#pick(every), fits ? shape : [7]) : this.#wideStep();
    if (sizeOf(value.shape) > 0 && sizeOf(value.shape) <= largest) this.values.push(value);
  }

  /** Places in [0, n), computed, as int32 or int64. */
  places(n: number): Value {
    const x = build.cast(this.any(), this.#pick(['int32', 'int64'] as const));
    const flat = build.slice(build.reshape(x, [sizeOf(x.shape)]), [0], [Math.min(5, sizeOf(x.shape))]);
    const places = build.mod(flat, build.constantLike(flat, n));
    return this.#accepted(places, (at) => build.gather(build.iota([n]), at)) ? places : build.cast(places, 'int32');
  }

  #accepted(x: Value, f: (x: Value) => Value): boolean {
    try {
      f(x);
      return true;
    } catch (error) {
      if (error instanceof UserError) return false;
      throw error;
    }
  }

  /** From a value as it is, or as int32 where the step refuses its dtype. */
  #wideStep(): Value {
    const x = this.any();
    const step = this.#pick([
      this.#binary,
      this.#binary,
      this.#binary,
      this.#unary,
      this.#unary,
      this.#cast,
      this.#cast,
      this.#choose,
      this.#bits,
      this.#reduce,
      this.#reduce,
      this.#move,
      this.#move,
      this.#along,
      this.#gather,
    ]);
    try {
      return step.call(this, x);
    } catch (error) {
      if (!(error instanceof UserError) || x.dtype === 'int32') throw error;
      return step.call(this, build.cast(x, 'int32'));
    }
  }

  /** Another one of the shape, or a new input that broadcasts with it. */
  #partner(x: Value): Value {
    const alike = this.values.filter(({ shape }) => shape.join() === x.shape.join());
    if (alike.length > 1 && this.#below(3) > 0) return this.#pick(alike);
    return this.#feed(
      this.#pick(integers),
      x.shape.map((n) => (this.#below(3) === 0 ? 1 : n)),
    );
  }

  #binary(x: Value): Value {
    const y = this.#partner(x);
    const f = this.#pick([
      build.add,
      build.sub,
      build.mul,
      build.floorDiv,
      build.div,
      build.mod,
      build.maximum,
      build.minimum,
      build.squaredDifference,
      (a: Value, b: Value) => build.pow(a, build.mod(b, build.constantLike(b, 7))),
    ]);
    // bool meets bool as int32.
    return this.#below(2) === 0 ? f(x, y) : f(y, x);
  }

  #unary(x: Value): Value {
    return this.#pick([build.neg, build.abs, build.sign, build.square, build.relu])(x);
  }

  /** Integers, bool, and by way of a float, which every target rounds alike. */
  #cast(x: Value): Value {
    const to = this.#pick(every);
    if (this.#below(2) > 0) return build.cast(x, to);
    const real = this.#below(2) > 0 ? x : this.#source.feed(this.#pick(reals), x.shape, -300, 300);
    return build.cast(build.cast(real, this.#pick(reals)), to);
  }

  #choose(x: Value): Value {
    const y = this.#partner(x);
    const compare = this.#pick([build.greater, build.less, build.equal, build.notEqual, build.lessEqual]);
    const test = compare(x, y);
    return this.#below(3) === 0 ? test : build.select(test, x, y);
  }

  #bits(x: Value): Value {
    const whole = x.dtype === 'bool' ? build.cast(x, 'int32') : x;
    const y = this.#partner(whole);
    const count = this.#source.feed(whole.dtype, whole.shape, whole.dtype === 'uint8' ? 0 : -2, 70);
    const f = this.#pick([
      () => build.bitwiseAnd(whole, y),
      () => build.bitwiseOr(whole, y),
      () => build.bitwiseXor(whole, y),
      () => build.bitwiseNot(whole),
      () => build.leftShift(whole, count),
      () => build.rightShift(whole, count),
      () => build.rightShiftLogical(whole, count),
    ]);
    return f();
  }

  #reduce(x: Value): Value {
    const axes = x.shape.flatMap((_, axis) => (this.#below(2) === 0 ? [axis] : []));
    const keep = this.#below(2) === 0;
    if (x.dtype === 'bool' && this.#below(2) === 0) return this.#pick([build.any, build.all])(x, axes, keep);
    if (x.shape.length > 0 && this.#below(4) === 0) {
      return this.#pick([build.argMax, build.argMin])(x, this.#below(x.shape.length));
    }
    return this.#pick([build.sum, build.prod, build.max, build.min])(x, axes, keep);
  }

  #move(x: Value): Value {
    if (x.shape.length === 0) return build.broadcastTo(x, [this.#pick(this.#source.extents)]);
    const axis = this.#below(x.shape.length);
    const f = this.#pick([
      () => build.transpose(x, x.shape.map((_, i) => i).reverse()),
      () => build.reverse(x, [axis]),
      () =>
        build.slice(
          x,
          x.shape.map(() => 0),
          x.shape.map((n) => Math.max(1, n - 1)),
        ), // prettier-ignore
      () =>
        build.pad(
          x,
          x.shape.map(() => [this.#below(3), this.#below(3)] as const),
          1,
        ), // prettier-ignore
      () => build.concat([x, build.cast(build.logicalNot(build.cast(x, 'bool')), x.dtype), x], axis),
      () => build.reshape(x, [sizeOf(x.shape)]),
      () => build.broadcastTo(x, [2, ...x.shape]),
      () => composite.roll(x, 1 + this.#below(3), axis),
    ]);
    return f();
  }

  /** Running totals and order along an axis. */
  #along(x: Value): Value {
    if (x.shape.length === 0) return build.neg(x);
    const axis = this.#below(x.shape.length);
    const [a, b] = [this.#below(2) === 0, this.#below(2) === 0];
    const f = this.#pick([
      () => composite.cumsum(x, axis, a, b),
      () => composite.cumprod(x, axis, a, b),
      () => build.sort(x, axis, a).values,
      () => build.argsort(x, axis, a),
    ]);
    return f();
  }

  #gather(x: Value): Value {
    if (x.shape.length === 0 || isFloat(x.dtype)) return x;
    const axis = this.#below(x.shape.length);
    return build.gather(x, this.places(x.shape[axis]), axis);
  }
}

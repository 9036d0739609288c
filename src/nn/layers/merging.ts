/** Layers that make one tensor of several: sums, products, extremes, concatenation, dot products. */
import { fail } from '../../base/errors.ts';
import {
  add,
  cast,
  concat,
  div,
  expandDims,
  logicalAnd,
  matMul,
  maximum,
  min,
  minimum,
  mul,
  onesLike,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  transpose,
} from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import type { Mask } from './call_context.ts';
import { Layer, type LayerArgs } from './layer.ts';
import { isShapeList, type KerasShape, type ShapeOrShapes, showKerasShape, showShapes } from './shapes.ts';

/** The inputs' shapes; a layer that merges needs two or more. */
function several(label: string, shape: ShapeOrShapes, least = 2): readonly KerasShape[] {
  if (isShapeList(shape) && shape.length >= least) return shape;
  const hint = 'apply it to a list, as in tf.layers.add().apply([a, b])';
  fail(label, `the layer needs a list of ${least} or more inputs`, `got ${showShapes(shape)}`, hint);
}

/** Extents that broadcast: equal, or 1, or unknown. */
function broadcastExtent(label: string, a: number | null, b: number | null, shapes: ShapeOrShapes): number | null {
  if (a === null || b === null) return a === 1 ? b : b === 1 ? a : null;
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  fail(label, 'the inputs must have one shape, or broadcast', `got ${showShapes(shapes)}`);
}

/** Element by element; of shapes that differ, the one of lower rank is broadcast over the axes after the batch. */
export abstract class Merge extends Layer {
  constructor(args: LayerArgs = {}) {
    super(args);
    this.supportsMasking = true;
  }

  protected abstract merge(inputs: readonly Tensor[]): Tensor;

  override build(inputShape: ShapeOrShapes): void {
    several(this.label, inputShape, this.least);
  }
  /** Fewest inputs. */
  protected readonly least: number = 2;

  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    const shapes = several(this.label, inputShape, this.least);
    const rank = Math.max(...shapes.map((shape) => shape.length));
    const aligned = shapes.map((shape) => alignedShape(shape, rank));
    return aligned.reduce((out, shape) => out.map((n, i) => broadcastExtent(this.label, n, shape[i], shapes)));
  }

  override call(inputs: Tensor[]): Tensor {
    several(
      this.label,
      inputs.map(({ shape }) => shape),
      this.least,
    );
    const rank = Math.max(...inputs.map((x) => x.rank));
    return this.merge(inputs.map((x) => (x.rank === rank ? x : reshape(x, alignedShape(x.shape, rank) as number[]))));
  }

  /** True where all masks are. */
  override computeMask(_inputs: Tensor | Tensor[], mask: Mask): Mask {
    const masks = (Array.isArray(mask) ? mask : [mask]).filter((item): item is Tensor => Boolean(item));
    return masks.length === 0 ? null : masks.reduce((a, b) => logicalAnd(a, b));
  }
}

/** [batch, n] beside [batch, a, n] is [batch, 1, n]. */
function alignedShape(shape: KerasShape, rank: number): KerasShape {
  return [shape[0], ...new Array<number>(rank - shape.length).fill(1), ...shape.slice(1)];
}

/** a + b + ... Source: tf.layers.add. */
export class Add extends Merge {
  static override readonly className = 'Add';
  protected override merge(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce((a, b) => add(a, b));
  }
}

/** a - b. Source: keras.layers.Subtract. */
export class Subtract extends Merge {
  static override readonly className = 'Subtract';
  override build(inputShape: ShapeOrShapes): void {
    const shapes = several(this.label, inputShape);
    if (shapes.length !== 2) fail(this.label, 'the layer needs two inputs', `got ${shapes.length}`);
  }
  protected override merge([a, b]: readonly Tensor[]): Tensor {
    return sub(a, b);
  }
}

/** a b ... Source: tf.layers.multiply. */
export class Multiply extends Merge {
  static override readonly className = 'Multiply';
  protected override merge(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce((a, b) => mul(a, b));
  }
}

/** (a + b + ...) / n. Source: tf.layers.average. */
export class Average extends Merge {
  static override readonly className = 'Average';
  protected override merge(inputs: readonly Tensor[]): Tensor {
    return mul(
      inputs.reduce((a, b) => add(a, b)),
      1 / inputs.length,
    );
  }
}

/** The largest of each element. Source: tf.layers.maximum. */
export class Maximum extends Merge {
  static override readonly className = 'Maximum';
  protected override merge(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce((a, b) => maximum(a, b));
  }
}

/** The smallest of each element. Source: tf.layers.minimum. */
export class Minimum extends Merge {
  static override readonly className = 'Minimum';
  protected override merge(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce((a, b) => minimum(a, b));
  }
}

export interface ConcatenateArgs extends LayerArgs {
  /** Default -1: the last axis. */
  axis?: number;
}

/** One after the other along an axis. Source: tf.layers.concatenate. */
export class Concatenate extends Layer {
  static override readonly className = 'Concatenate';
  readonly axis: number;

  constructor(args: ConcatenateArgs = {}) {
    super(args);
    this.axis = args.axis ?? -1;
    this.supportsMasking = true;
  }

  override build(inputShape: ShapeOrShapes): void {
    this.computeOutputShape(inputShape);
  }

  override computeOutputShape(inputShape: ShapeOrShapes): KerasShape {
    const shapes = several(this.label, inputShape, 1);
    const out = [...shapes[0]];
    const axis = this.axis < 0 ? out.length + this.axis : this.axis;
    if (!(axis >= 1 && axis < out.length)) {
      fail(this.label, `axis must be in [1, ${out.length - 1}]`, `got ${this.axis} for ${showShapes(shapes)}`);
    }
    for (const shape of shapes.slice(1)) {
      const fits =
        shape.length === out.length &&
        shape.every((n, i) => i === axis || n === null || out[i] === null || n === out[i]);
      if (!fits) {
        fail(this.label, `the inputs must have one shape but for axis ${axis}`, `got ${showShapes(shapes)}`);
      }
      const [a, b] = [out[axis], shape[axis]];
      out[axis] = a === null || b === null ? null : a + b;
    }
    return out;
  }

  override call(inputs: Tensor[]): Tensor {
    return concat(inputs, this.axis < 0 ? inputs[0].rank + this.axis : this.axis);
  }

  override computeMask(inputs: Tensor[], mask: Mask): Mask {
    if (!Array.isArray(mask) || mask.every((item) => !item)) return null;
    const axis = this.axis < 0 ? inputs[0].rank + this.axis : this.axis;
    const full = inputs.map((input, i) => {
      let own = (mask as readonly (Tensor | null)[])[i];
      if (!own) return onesLike(input);
      while (own.rank < input.rank) own = expandDims(own, -1);
      return mul(onesLike(input), cast(own, input.dtype));
    });
    const rank = Math.max(...mask.map((item) => item?.rank ?? 0));
    const axes = Array.from({ length: inputs[0].rank - rank }, (_, i) => rank + i);
    return cast(min(concat(full, axis), axes.length === 0 ? [inputs[0].rank - 1] : axes), 'bool');
  }

  override getConfig(): Config {
    return { axis: this.axis, ...super.getConfig() };
  }
}

export interface DotArgs extends LayerArgs {
  /** The axis to sum over, of both inputs or of each. */
  axes: number | readonly [number, number];
  /** Divides by the lengths first: cosine similarity. Default false. */
  normalize?: boolean;
}

/**
 * Sums of products along an axis of each of two inputs, sample by sample: [batch, ..., k] and [batch, ..., k] give
 * [batch, ..., ...], and two of rank 2 give [batch, 1]. Source: tf.layers.dot.
 */
export class Dot extends Layer {
  static override readonly className = 'Dot';
  readonly axes: number | readonly [number, number];
  readonly normalize: boolean;

  constructor(args: DotArgs) {
    super(args);
    const valid = Array.isArray(args.axes)
      ? args.axes.length === 2 && args.axes.every(Number.isInteger)
      : Number.isInteger(args.axes);
    if (!valid) fail(this.label, 'axes must be an integer or two', `got ${JSON.stringify(args.axes)}`);
    this.axes = args.axes;
    this.normalize = args.normalize ?? false;
    this.supportsMasking = true;
  }

  override build(inputShape: ShapeOrShapes): void {
    this.computeOutputShape(inputShape);
  }

  #axesFor(a: KerasShape, b: KerasShape): [number, number] {
    const [first, second] = typeof this.axes === 'number' ? [this.axes, this.axes] : this.axes;
    const positive = (axis: number, shape: KerasShape) => {
      const at = axis < 0 ? shape.length + axis : axis;
      if (at >= 1 && at < shape.length) return at;
      return fail(this.label, `axes must be in [1, ${shape.length - 1}]`, `got ${axis} for ${showKerasShape(shape)}`);
    };
    return [positive(first, a), positive(second, b)];
  }

  override computeOutputShape(inputShape: ShapeOrShapes): KerasShape {
    const shapes = several(this.label, inputShape);
    if (shapes.length !== 2) fail(this.label, 'the layer needs two inputs', `got ${shapes.length}`);
    const [a, b] = shapes;
    const [i, j] = this.#axesFor(a, b);
    if (a[i] !== null && b[j] !== null && a[i] !== b[j]) {
      fail(this.label, 'the axes summed over must have one extent', `axis ${i} and ${j} of ${showShapes(shapes)}`);
    }
    const rest = (shape: KerasShape, axis: number) => shape.filter((_, k) => k !== 0 && k !== axis);
    const out = [a[0], ...rest(a, i), ...rest(b, j)];
    return out.length === 1 ? [...out, 1] : out;
  }

  override call([a, b]: Tensor[]): Tensor {
    const [i, j] = this.#axesFor(a.shape, b.shape);
    const rows = this.#matrix(a, i);
    const columns = this.#matrix(b, j);
    const y = matMul(rows, columns, false, true);
    const shape = this.computeOutputShape([a.shape, b.shape]) as number[];
    return reshape(y, shape);
  }

  /** [batch, everything else, the axis]. */
  #matrix(x: Tensor, axis: number): Tensor {
    const others = x.shape.map((_, k) => k).filter((k) => k !== 0 && k !== axis);
    const moved = axis === x.rank - 1 ? x : transpose(x, [0, ...others, axis]);
    const flat = reshape(moved, [x.shape[0], others.reduce((n, k) => n * x.shape[k], 1), x.shape[axis]]);
    if (!this.normalize) return flat;
    return div(flat, sqrt(maximum(sum(square(flat), -1, true), 1e-12)));
  }

  override computeMask(): Mask {
    return null;
  }

  override getConfig(): Config {
    return { axes: this.axes, normalize: this.normalize, ...super.getConfig() };
  }
}

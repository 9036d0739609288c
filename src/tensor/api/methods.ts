/**
 * Methods of tensors, so that calls chain: x.add(y).relu(). A method is the function of its name with the tensor as the first
 * argument; the few that differ are written out. The interface below is their static side.
 */
import type { Axes } from '../../ops/build.ts';
import type { DType } from '../../types/dtype.ts';
import { Tensor } from '../tensor.ts';
import type { Rank, Scalar, ShapeMap, Tensor1D, Tensor2D, Tensor3D, Tensor4D, TensorLike } from '../types.ts';
import * as activations from './activations.ts';
import * as arithmetic from './arithmetic.ts';
import * as convolution from './convolution.ts';
import { conv2dTranspose } from './convolution-transpose.ts';
import { resizeBilinear, resizeNearestNeighbor } from './image/resize.ts';
import { dilation2d } from './morphology.ts';
import * as pooling from './pooling.ts';
import * as cumulative from './cumulative.ts';
import * as indexing from './indexing.ts';
import * as segments from './segments.ts';
import * as sorting from './sorting.ts';
import { unique } from './unique.ts';
import * as creation from './creation.ts';
import * as joining from './joining.ts';
import * as logical from './logical.ts';
import * as math from './math.ts';
import * as matrices from './matrices.ts';
import { movementFunctions } from './methods-movement.ts';
import * as normalization from './normalization.ts';
import * as reduction from './reduction.ts';
import * as spectral from './spectral.ts';
import { stridedSlice } from './strided-slice.ts';
import * as transformations from './transformations.ts';
import type { DataFormat } from './windows.ts';
import type { Padding, PerAxis, Rounding } from './padding.ts';
import type { FftNorm } from './spectral.ts';

type Pair = number | readonly [number, number];
type Paddings = readonly (readonly [number, number])[];

declare module '../tensor.ts' {
  interface Tensor<R extends Rank = Rank> {
    abs<T extends Tensor = this>(): T;
    acos<T extends Tensor = this>(): T;
    acosh<T extends Tensor = this>(): T;
    asin<T extends Tensor = this>(): T;
    asinh<T extends Tensor = this>(): T;
    atan<T extends Tensor = this>(): T;
    atanh<T extends Tensor = this>(): T;
    ceil<T extends Tensor = this>(): T;
    cos<T extends Tensor = this>(): T;
    cosh<T extends Tensor = this>(): T;
    erf<T extends Tensor = this>(): T;
    exp<T extends Tensor = this>(): T;
    expm1<T extends Tensor = this>(): T;
    floor<T extends Tensor = this>(): T;
    isFinite<T extends Tensor = this>(): T;
    isInf<T extends Tensor = this>(): T;
    isNaN<T extends Tensor = this>(): T;
    log<T extends Tensor = this>(): T;
    log1p<T extends Tensor = this>(): T;
    neg<T extends Tensor = this>(): T;
    reciprocal<T extends Tensor = this>(): T;
    round<T extends Tensor = this>(): T;
    rsqrt<T extends Tensor = this>(): T;
    sign<T extends Tensor = this>(): T;
    sin<T extends Tensor = this>(): T;
    sinh<T extends Tensor = this>(): T;
    sqrt<T extends Tensor = this>(): T;
    square<T extends Tensor = this>(): T;
    tan<T extends Tensor = this>(): T;
    elu<T extends Tensor = this>(): T;
    logSigmoid<T extends Tensor = this>(): T;
    mish<T extends Tensor = this>(): T;
    relu<T extends Tensor = this>(): T;
    relu6<T extends Tensor = this>(): T;
    selu<T extends Tensor = this>(): T;
    sigmoid<T extends Tensor = this>(): T;
    softplus<T extends Tensor = this>(): T;
    softsign<T extends Tensor = this>(): T;
    swish<T extends Tensor = this>(): T;
    tanh<T extends Tensor = this>(): T;
    hardSigmoid<T extends Tensor = this>(): T;
    logicalNot<T extends Tensor = this>(): T;
    onesLike<T extends Tensor = this>(): T;
    zerosLike<T extends Tensor = this>(): T;
    add<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    sub<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    mul<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    div<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    divNoNan<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    floorDiv<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    mod<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    pow<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    maximum<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    minimum<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    squaredDifference<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    atan2<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    equal<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    notEqual<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    less<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    lessEqual<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    greater<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    greaterEqual<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    logicalAnd<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    logicalOr<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    logicalXor<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    sum<T extends Tensor = Tensor>(axis?: Axes, keepDims?: boolean): T;
    mean<T extends Tensor = Tensor>(axis?: Axes, keepDims?: boolean): T;
    prod<T extends Tensor = Tensor>(axis?: Axes, keepDims?: boolean): T;
    max<T extends Tensor = Tensor>(axis?: Axes, keepDims?: boolean): T;
    min<T extends Tensor = Tensor>(axis?: Axes, keepDims?: boolean): T;
    all<T extends Tensor = Tensor>(axis?: Axes, keepDims?: boolean): T;
    any<T extends Tensor = Tensor>(axis?: Axes, keepDims?: boolean): T;
    logSumExp<T extends Tensor = Tensor>(axis?: Axes, keepDims?: boolean): T;
    argMax<T extends Tensor = Tensor>(axis?: number): T;
    argMin<T extends Tensor = Tensor>(axis?: number): T;
    norm<T extends Tensor = Tensor>(ord?: number | 'euclidean' | 'fro', axis?: Axes, keepDims?: boolean): T;
    euclideanNorm<T extends Tensor = Tensor>(axis?: Axes, keepDims?: boolean): T;
    clipByValue<T extends Tensor = this>(min: number, max: number): T;
    leakyRelu<T extends Tensor = this>(alpha?: number): T;
    prelu<T extends Tensor = this>(alpha: Tensor | TensorLike): T;
    step<T extends Tensor = this>(alpha?: number): T;
    gelu<T extends Tensor = this>(approximate?: boolean): T;
    /** this where the condition holds, else x. */
    where<T extends Tensor = this>(condition: Tensor | TensorLike, x: Tensor | TensorLike): T;
    matMul<T extends Tensor = Tensor>(b: Tensor | TensorLike, transposeA?: boolean, transposeB?: boolean): T;
    dot<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    outerProduct(b: Tensor | TensorLike): Tensor2D;
    transpose<T extends Tensor = this>(perm?: readonly number[] | null, conjugate?: boolean): T;
    reshape<S extends Rank = Rank>(shape: ShapeMap[S]): Tensor<S>;
    reshapeAs<T extends Tensor>(x: T): T;
    flatten(): Tensor1D;
    expandDims<T extends Tensor = Tensor>(axis?: number): T;
    squeeze<T extends Tensor = Tensor>(axis?: number | readonly number[] | null): T;
    cast<T extends Tensor = this>(dtype: DType): T;
    asType<T extends Tensor = this>(dtype: DType): T;
    toFloat<T extends Tensor = this>(): T;
    toInt<T extends Tensor = this>(): T;
    toBool<T extends Tensor = this>(): T;
    broadcastTo<S extends Rank = Rank>(shape: ShapeMap[S]): Tensor<S>;
    pad<T extends Tensor = this>(paddings: Paddings, constantValue?: number): T;
    mirrorPad<T extends Tensor = this>(paddings: Paddings, mode: 'reflect' | 'symmetric'): T;
    concat<T extends Tensor = this>(tensors: Tensor | TensorLike | readonly (Tensor | TensorLike)[], axis?: number): T;
    stack<T extends Tensor = Tensor>(tensors: Tensor | readonly Tensor[], axis?: number): T;
    unstack(axis?: number): Tensor[];
    split<T extends Tensor = Tensor>(numOrSizeSplits: number | readonly number[], axis?: number): T[];
    slice<T extends Tensor = this>(begin: number | readonly number[], size?: number | readonly number[]): T;
    stridedSlice(
      begin: readonly number[],
      end: readonly number[],
      strides?: readonly number[],
      beginMask?: number,
      endMask?: number,
      ellipsisMask?: number,
      newAxisMask?: number,
      shrinkAxisMask?: number,
    ): Tensor;
    gather<T extends Tensor = this>(indices: Tensor | TensorLike, axis?: number, batchDims?: number): T;
    gatherND<T extends Tensor = Tensor>(indices: Tensor | TensorLike): T;
    cumsum<T extends Tensor = this>(axis?: number, exclusive?: boolean, reverse?: boolean): T;
    cumprod<T extends Tensor = this>(axis?: number, exclusive?: boolean, reverse?: boolean): T;
    topk<T extends Tensor = this>(k?: number, sorted?: boolean): { values: T; indices: Tensor };
    unique<T extends Tensor = this>(axis?: number): { values: T; indices: Tensor };
    unsortedSegmentSum<T extends Tensor = Tensor>(segmentIds: Tensor | TensorLike, numSegments: number): T;
    sort<T extends Tensor = this>(axis?: number, direction?: 'ASCENDING' | 'DESCENDING'): T;
    argsort(axis?: number, direction?: 'ASCENDING' | 'DESCENDING'): Tensor;
    reverse<T extends Tensor = this>(axis?: number | readonly number[] | null): T;
    tile<T extends Tensor = this>(reps: readonly number[]): T;
    oneHot(depth: number, onValue?: number, offValue?: number, dtype?: DType): Tensor;
    fft<T extends Tensor = Tensor>(n?: number, axis?: number, norm?: FftNorm): T;
    ifft<T extends Tensor = Tensor>(n?: number, axis?: number, norm?: FftNorm): T;
    rfft<T extends Tensor = Tensor>(fftLength?: number, axis?: number, norm?: FftNorm): T;
    irfft<T extends Tensor = Tensor>(fftLength?: number, axis?: number, norm?: FftNorm): T;
    softmax<T extends Tensor = this>(dim?: number): T;
    logSoftmax<T extends Tensor = this>(axis?: number): T;
    batchNorm<T extends Tensor = this>(
      mean: Tensor | TensorLike,
      variance: Tensor | TensorLike,
      offset?: Tensor | TensorLike | null,
      scale?: Tensor | TensorLike | null,
      varianceEpsilon?: number,
    ): T;
    localResponseNormalization<T extends Tensor = this>(
      depthRadius?: number,
      bias?: number,
      alpha?: number,
      beta?: number,
    ): T;
    conv1d<T extends Tensor = Tensor>(
      filter: Tensor | TensorLike,
      stride: number,
      pad: 'same' | 'valid' | number,
      dataFormat?: 'NWC',
      dilation?: number,
      dimRoundingMode?: Rounding,
    ): T;
    conv2d<T extends Tensor = Tensor>(
      filter: Tensor | TensorLike,
      strides: Pair,
      pad: Padding,
      dataFormat?: DataFormat,
      dilations?: Pair,
      dimRoundingMode?: Rounding,
    ): T;
    conv2dTranspose<T extends Tensor = Tensor>(
      filter: Tensor | TensorLike,
      outputShape: readonly number[],
      strides: Pair,
      pad: Padding,
      dimRoundingMode?: Rounding,
    ): T;
    depthwiseConv2d<T extends Tensor = Tensor>(
      filter: Tensor | TensorLike,
      strides: Pair,
      pad: Padding,
      dataFormat?: DataFormat,
      dilations?: Pair,
      dimRoundingMode?: Rounding,
    ): T;
    separableConv2d<T extends Tensor = Tensor>(
      depthwiseFilter: Tensor | TensorLike,
      pointwiseFilter: Tensor | TensorLike,
      strides: Pair,
      pad: Padding,
      dilation?: Pair,
      dataFormat?: DataFormat,
    ): T;
    maxPool<T extends Tensor = Tensor>(filterSize: Pair, strides: Pair, pad: Padding, dimRoundingMode?: Rounding): T;
    avgPool<T extends Tensor = Tensor>(filterSize: Pair, strides: Pair, pad: Padding, dimRoundingMode?: Rounding): T;
    pool<T extends Tensor = Tensor>(
      windowShape: PerAxis,
      poolingType: 'max' | 'avg',
      pad: Padding,
      dilations?: PerAxis,
      strides?: PerAxis,
      dimRoundingMode?: Rounding,
    ): T;
    resizeBilinear<T extends Tensor = this>(
      size: readonly [number, number],
      alignCorners?: boolean,
      halfPixelCenters?: boolean,
    ): T;
    resizeNearestNeighbor<T extends Tensor = this>(
      size: readonly [number, number],
      alignCorners?: boolean,
      halfPixelCenters?: boolean,
    ): T;
    dilation2d<T extends Tensor = Tensor>(
      filter: Tensor | TensorLike,
      strides: Pair,
      pad: Padding,
      dilations?: Pair,
      dataFormat?: 'NHWC',
    ): T;
    asScalar(): Scalar;
    as1D(): Tensor1D;
    as2D(rows: number, columns: number): Tensor2D;
    as3D(rows: number, columns: number, depth: number): Tensor3D;
    as4D(rows: number, columns: number, depth: number, depth2: number): Tensor4D;
  }
}

/** Functions whose first argument is the tensor itself. */
const functions: { readonly [name: string]: (x: Tensor, ...rest: never[]) => unknown } = {
  abs: math.abs,
  acos: math.acos,
  acosh: math.acosh,
  asin: math.asin,
  asinh: math.asinh,
  atan: math.atan,
  atanh: math.atanh,
  ceil: math.ceil,
  clipByValue: math.clipByValue,
  cos: math.cos,
  cosh: math.cosh,
  erf: math.erf,
  exp: math.exp,
  expm1: math.expm1,
  floor: math.floor,
  isFinite: math.isFinite,
  isInf: math.isInf,
  isNaN: math.isNaN,
  log: math.log,
  log1p: math.log1p,
  neg: math.neg,
  reciprocal: math.reciprocal,
  round: math.round,
  rsqrt: math.rsqrt,
  sign: math.sign,
  sin: math.sin,
  sinh: math.sinh,
  sqrt: math.sqrt,
  square: math.square,
  tan: math.tan,
  elu: activations.elu,
  gelu: activations.gelu,
  hardSigmoid: activations.hardSigmoid,
  leakyRelu: activations.leakyRelu,
  logSigmoid: activations.logSigmoid,
  mish: activations.mish,
  prelu: activations.prelu,
  relu: activations.relu,
  relu6: activations.relu6,
  selu: activations.selu,
  sigmoid: activations.sigmoid,
  softplus: activations.softplus,
  softsign: activations.softsign,
  step: activations.step,
  swish: activations.swish,
  tanh: activations.tanh,
  add: arithmetic.add,
  sub: arithmetic.sub,
  mul: arithmetic.mul,
  div: arithmetic.div,
  divNoNan: arithmetic.divNoNan,
  floorDiv: arithmetic.floorDiv,
  mod: arithmetic.mod,
  pow: arithmetic.pow,
  maximum: arithmetic.maximum,
  minimum: arithmetic.minimum,
  squaredDifference: arithmetic.squaredDifference,
  atan2: arithmetic.atan2,
  equal: logical.equal,
  notEqual: logical.notEqual,
  less: logical.less,
  lessEqual: logical.lessEqual,
  greater: logical.greater,
  greaterEqual: logical.greaterEqual,
  logicalAnd: logical.logicalAnd,
  logicalOr: logical.logicalOr,
  logicalXor: logical.logicalXor,
  logicalNot: logical.logicalNot,
  sum: reduction.sum,
  mean: reduction.mean,
  prod: reduction.prod,
  max: reduction.max,
  min: reduction.min,
  all: reduction.all,
  any: reduction.any,
  logSumExp: reduction.logSumExp,
  argMax: reduction.argMax,
  argMin: reduction.argMin,
  norm: reduction.norm,
  euclideanNorm: reduction.euclideanNorm,
  matMul: matrices.matMul,
  dot: matrices.dot,
  transpose: matrices.transpose,
  outerProduct: matrices.outerProduct,
  reshape: transformations.reshape,
  flatten: transformations.flatten,
  expandDims: transformations.expandDims,
  squeeze: transformations.squeeze,
  cast: transformations.cast,
  broadcastTo: transformations.broadcastTo,
  pad: transformations.pad,
  mirrorPad: transformations.mirrorPad,
  slice: joining.slice,
  stridedSlice,
  gather: joining.gather,
  gatherND: indexing.gatherND,
  cumsum: cumulative.cumsum,
  cumprod: cumulative.cumprod,
  topk: sorting.topk,
  unique: unique,
  unsortedSegmentSum: segments.unsortedSegmentSum,
  sort: sorting.sort,
  argsort: sorting.argsort,
  reverse: joining.reverse,
  tile: joining.tile,
  split: joining.split,
  unstack: joining.unstack,
  conv1d: convolution.conv1d,
  conv2d: convolution.conv2d,
  conv2dTranspose,
  depthwiseConv2d: convolution.depthwiseConv2d,
  separableConv2d: convolution.separableConv2d,
  maxPool: pooling.maxPool,
  avgPool: pooling.avgPool,
  pool: pooling.pool,
  dilation2d,
  resizeBilinear,
  resizeNearestNeighbor,
  softmax: normalization.softmax,
  logSoftmax: normalization.logSoftmax,
  batchNorm: normalization.batchNorm,
  localResponseNormalization: normalization.localResponseNormalization,
  fft: spectral.fft,
  ifft: spectral.ifft,
  rfft: spectral.rfft,
  irfft: spectral.irfft,
  oneHot: creation.oneHot,
  onesLike: creation.onesLike,
  zerosLike: creation.zerosLike,
  ...movementFunctions,
};

/** Methods that take the tensor in another place, or have no function. */
const methods: { readonly [name: string]: (this: Tensor, ...args: never[]) => unknown } = {
  where(condition: Tensor | TensorLike, x: Tensor | TensorLike) {
    return logical.where(condition, this, x);
  },
  concat(others: Tensor | TensorLike | readonly (Tensor | TensorLike)[], axis?: number) {
    const list = Array.isArray(others) && others.some((x) => x instanceof Tensor) ? others : [others];
    return joining.concat([this, ...(list as Tensor[])], axis);
  },
  stack(others: Tensor | readonly Tensor[], axis?: number) {
    return joining.stack([this, ...(others instanceof Tensor ? [others] : others)], axis);
  },
  reshapeAs(x: Tensor) {
    return transformations.reshape(this, x.shape);
  },
  asType(dtype: DType) {
    return transformations.cast(this, dtype);
  },
  toFloat() {
    return transformations.cast(this, 'float32');
  },
  toInt() {
    return transformations.cast(this, 'int32');
  },
  toBool() {
    return transformations.cast(this, 'bool');
  },
  asScalar() {
    return transformations.reshape<'R0'>(this, []);
  },
  as1D() {
    return transformations.flatten(this);
  },
  as2D(rows: number, columns: number) {
    return transformations.reshape<'R2'>(this, [rows, columns]);
  },
  as3D(rows: number, columns: number, depth: number) {
    return transformations.reshape<'R3'>(this, [rows, columns, depth]);
  },
  as4D(rows: number, columns: number, depth: number, depth2: number) {
    return transformations.reshape<'R4'>(this, [rows, columns, depth, depth2]);
  },
};

/** Gives every tensor its methods; once, before the first tensor is used. */
export function installMethods(): void {
  const define = (name: string, value: unknown) =>
    Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true, enumerable: false });
  for (const [name, f] of Object.entries(functions)) {
    define(name, function method(this: Tensor, ...rest: never[]) {
      return f(this, ...rest);
    });
  }
  for (const [name, f] of Object.entries(methods)) define(name, f);
}

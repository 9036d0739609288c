/** Methods of tensors whose functions are in movement.ts, special.ts and bitwise.ts; methods.ts installs them. */
import type { DataType, Rank, Tensor5D, TensorLike } from '../types.ts';
import type { Tensor } from '../tensor.ts';
import type { Variable } from '../variable.ts';
import { variable } from '../variable.ts';
import * as bitwise from './bitwise.ts';
import * as movement from './movement.ts';
import * as special from './special.ts';
import { reshape } from './transformations.ts';

type Pairs = readonly (readonly number[])[];

declare module '../tensor.ts' {
  interface Tensor<R extends Rank = Rank> {
    as5D(rows: number, columns: number, depth: number, depth2: number, depth3: number): Tensor5D;
    batchToSpaceND<T extends Tensor = Tensor>(blockShape: readonly number[], crops: Pairs): T;
    spaceToBatchND<T extends Tensor = Tensor>(blockShape: readonly number[], paddings: Pairs): T;
    depthToSpace<T extends Tensor = Tensor>(blockSize: number, dataFormat?: 'NHWC' | 'NCHW'): T;
    spaceToDepth<T extends Tensor = Tensor>(blockSize: number, dataFormat?: 'NHWC' | 'NCHW'): T;
    flip<T extends Tensor = this>(axis?: number | readonly number[] | null): T;
    roll<T extends Tensor = this>(shift: number | readonly number[], axis?: number | readonly number[]): T;
    rot90<T extends Tensor = this>(k?: number, axes?: readonly [number, number]): T;
    repeat<T extends Tensor = Tensor>(repeats: number | readonly number[], axis?: number): T;
    triu<T extends Tensor = this>(k?: number): T;
    tril<T extends Tensor = this>(k?: number): T;
    diagonal<T extends Tensor = Tensor>(offset?: number, axis1?: number, axis2?: number): T;
    lgamma<T extends Tensor = this>(): T;
    digamma<T extends Tensor = this>(): T;
    erfc<T extends Tensor = this>(): T;
    erfinv<T extends Tensor = this>(): T;
    exp2<T extends Tensor = this>(): T;
    log2<T extends Tensor = this>(): T;
    log10<T extends Tensor = this>(): T;
    cbrt<T extends Tensor = this>(): T;
    bitwiseAnd<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    bitwiseOr<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    bitwiseXor<T extends Tensor = Tensor>(b: Tensor | TensorLike): T;
    /** A variable with this value. */
    variable(trainable?: boolean, name?: string, dtype?: DataType): Variable<R>;
  }
}

/** By name: the function that takes the tensor as its first argument. */
export const movementFunctions = {
  batchToSpaceND: movement.batchToSpaceND,
  spaceToBatchND: movement.spaceToBatchND,
  depthToSpace: movement.depthToSpace,
  spaceToDepth: movement.spaceToDepth,
  flip: movement.flip,
  roll: movement.roll,
  rot90: movement.rot90,
  repeat: movement.repeat,
  triu: movement.triu,
  tril: movement.tril,
  diagonal: movement.diagonal,
  lgamma: special.lgamma,
  digamma: special.digamma,
  erfc: special.erfc,
  erfinv: special.erfinv,
  exp2: special.exp2,
  log2: special.log2,
  log10: special.log10,
  cbrt: special.cbrt,
  bitwiseAnd: bitwise.bitwiseAnd,
  bitwiseOr: bitwise.bitwiseOr,
  bitwiseXor: bitwise.bitwiseXor,
  variable,
  as5D: (x: Tensor, ...shape: [number, number, number, number, number]) => reshape<'R5'>(x, shape),
};

/** Nested lists and plain objects in which tensors stand: taking them out, and putting others in their places. */
import type { Value } from '../graph/graph.ts';
import { isPlainObject } from './scope.ts';
import { Tensor, wrap } from './tensor.ts';
import type { DataType } from './types.ts';
import { Variable } from './variable.ts';

type Replace = (tensor: Tensor) => unknown;

/** The same structure with other things in the places of the tensors; variables stay unless told otherwise. */
export function mapTensors(item: unknown, map: Replace, mapVariable: Replace = (variable) => variable): unknown {
  if (item instanceof Variable) return mapVariable(item);
  if (item instanceof Tensor) return map(item);
  if (Array.isArray(item)) return item.map((part) => mapTensors(part, map, mapVariable));
  if (!isPlainObject(item)) return item;
  return Object.fromEntries(Object.entries(item).map(([name, part]) => [name, mapTensors(part, map, mapVariable)]));
}

/** Stands for the tensor that a program will give as result number `index`. */
export class Place {
  readonly index: number;
  readonly dtype: DataType;
  constructor(index: number, dtype: DataType) {
    this.index = index;
    this.dtype = dtype;
  }
}

/** The structure with tensors of these values in its places. */
export function fillPlaces(template: unknown, values: readonly Value[]): unknown {
  if (template instanceof Place) return wrap(values[template.index], template.dtype);
  if (Array.isArray(template)) return template.map((part) => fillPlaces(part, values));
  if (!isPlainObject(template)) return template;
  return Object.fromEntries(Object.entries(template).map(([name, part]) => [name, fillPlaces(part, values)]));
}

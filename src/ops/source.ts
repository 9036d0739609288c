/** Rows that have no tensor inputs: what is fed, and what is known beforehand. */
import { registerTypeOf } from './elements.ts';
import type { Shape } from '../types/shape.ts';
import { checkShape } from '../types/shape.ts';
import { checkDType } from '../types/dtype.ts';
import { fill } from './array.ts';
import { InternalError } from '../base/errors.ts';
import type { OpRow } from './row.ts';
import { expectAxis, intAttr, intsAttr } from './rule.ts';

export const sourceRows = {
  parameter: {
    name: 'parameter',
    summary: 'what is fed: a placeholder, a variable, or data from outside',
    arity: 0,
    infer(_inputs, attrs) {
      const shape = intsAttr(attrs, 'shape');
      checkShape('parameter', shape);
      return [{ dtype: checkDType('parameter', attrs.dtype), shape }];
    },
    gradient: 'constant',
    evaluate() {
      throw new InternalError('internal: a parameter has to be fed');
    },
    batching: 'none',
    lowering: { tag: 'source' },
    samples: [],
  },
  constant: {
    name: 'constant',
    summary: 'one known number, of shape []',
    arity: 0,
    infer(_inputs, attrs) {
      intAttr(attrs, 'value');
      return [{ dtype: checkDType('constant', attrs.dtype), shape: [] }];
    },
    gradient: 'constant',
    evaluate(_inputs, attrs, [type]) {
      return [fill(type, () => intAttr(attrs, 'value'))];
    },
    batching: 'none',
    lowering: { tag: 'source' },
    get samples() {
      return [
        { inputs: [], attrs: { value: 1.5, dtype: 'float32' } },
        { inputs: [], attrs: { value: -7, dtype: 'int32' } },
        { inputs: [], attrs: { value: 1, dtype: 'bool' } },
      ];
    },
  },
  iota: {
    name: 'iota',
    summary: 'the coordinate along one axis',
    arity: 0,
    infer(_inputs, attrs) {
      const shape = intsAttr(attrs, 'shape');
      checkShape('iota', shape);
      expectAxis('iota', intAttr(attrs, 'axis'), shape.length);
      const dtype = checkDType('iota', attrs.dtype);
      return [{ dtype, shape }];
    },
    gradient: 'constant',
    evaluate(_inputs, attrs, [type]) {
      const axis = intAttr(attrs, 'axis');
      return [fill(type, (at) => at[axis])];
    },
    batching: 'none',
    lowering: {
      tag: 'point',
      emit({ b, attrs, outputs: [type] }, at) {
        const coord = at[intAttr(attrs, 'axis')];
        const index = b.index(coord.at, coord.laneStep);
        const convert = ({ f32: 'i32ToF32', f64: 'i32ToF64', i64: 'i32ToI64', i32: null } as const)[
          registerTypeOf(type.dtype)
        ];
        return [convert ? b.convert(convert, index) : index];
      },
    },
    get samples() {
      return (['float32', 'int32'] as const).flatMap((dtype) => [
        ...[[0], [1], [7], [9], [1023]].map((shape) => ({ inputs: [], attrs: { shape, axis: 0, dtype } })),
        ...[0, 1, 2].map((axis) => ({ inputs: [], attrs: { shape: [3, 4, 5] as Shape, axis, dtype } })),
      ]);
    },
  },
} satisfies Record<string, OpRow>;

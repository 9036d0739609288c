/**
 * Finds the shapes that a function of tensors gives, by recording it and throwing the record away: nothing is computed, and
 * variables that it assigns keep their values. What layers without a shape rule of their own use.
 */
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { cellOf, retainingGraph } from './cell.ts';
import { type Recorder, withRecorder } from './context.ts';
import { parameter } from './plan.ts';
import { tidy } from './scope.ts';
import { Tensor, wrap } from './tensor.ts';
import type { Variable } from './variable.ts';

export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Variables as the function sees them: what it assigns, it reads; afterwards all is as before. */
class Rehearsal implements Recorder {
  readonly kind = 'jit';
  readonly #values = new Map<Variable, Value>();

  readVariable(variable: Variable): Value {
    let value = this.#values.get(variable);
    if (!value) this.#values.set(variable, (value = unknownValue(variable.current, `variable '${variable.name}'`)));
    return value;
  }
  assignVariable(variable: Variable, value: Value): void {
    this.#values.set(variable, value);
  }
  advanceVariable(variable: Variable, value: Value): void {
    this.#values.set(variable, value);
  }
  record(): void {}
}

function unknownValue(type: TensorSpec, what: string): Value {
  const value = parameter(type, what);
  cellOf(value).unfed = {
    op: 'infer',
    must: 'values are not known while shapes are inferred',
    came: `a value that depends on ${what} was read`,
    hint: 'give the layer a computeOutputShape, or read the value outside of call',
  };
  return value;
}

/** Shapes and dtypes of the tensors that `f` returns (one or a list) for inputs of these. */
export function inferOutputs(
  f: (inputs: Tensor[]) => Tensor | readonly Tensor[],
  inputs: readonly TensorSpec[],
): TensorSpec[] {
  return retainingGraph(() =>
    withRecorder(new Rehearsal(), () => {
      let specs: TensorSpec[] = [];
      tidy(() => {
        const result = f(inputs.map((spec, i) => wrap(unknownValue(spec, `input ${i}`))));
        const list = result instanceof Tensor ? [result] : [...result];
        specs = list.map(({ value }) => ({ shape: [...value.shape], dtype: value.dtype }));
      });
      return specs;
    }),
  );
}

/** Evaluates many tensors at once. */
import { recorder } from './context.ts';
import { evaluateValues } from './evaluate.ts';
import type { Tensor } from './tensor.ts';

/** Computes all these tensors in one program, and waits for it. While a function is traced it does nothing. */
export function evaluateAll(tensors: readonly Tensor[]): void {
  if (!recorder()) evaluateValues(tensors.map((tensor) => tensor.value));
}

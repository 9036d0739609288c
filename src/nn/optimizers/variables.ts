/** Finds a variable by its name, as applyGradients needs for gradients that come by name. */
import { fail } from '../../base/errors.ts';
import { type Variable, variableNamed } from '../../tensor/index.ts';

export function variableByName(name: string): Variable {
  const found = variableNamed(name);
  if (!found) fail('applyGradients', 'gradients must be named after live variables', `got ${JSON.stringify(name)}`);
  return found;
}

/**
 * beta^(steps + 1), rounded after each factor as the steps' own products are: an optimizer that is restored by its step count goes on with
 * the same bits.
 */
export function powerAfter(beta: number, steps: number): number {
  const factor = Math.fround(beta);
  let power = factor;
  for (let t = 0; t < steps; t++) {
    const next = Math.fround(power * factor);
    if (next === power) break;
    power = next;
  }
  return power;
}

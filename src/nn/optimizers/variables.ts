/** Finds a variable by its name, as applyGradients needs for gradients that come by name. */
import { fail } from '../../base/errors.ts';
import { type Variable, variableNamed } from '../../tensor/index.ts';

export function variableByName(name: string): Variable {
  const found = variableNamed(name);
  if (!found) fail('applyGradients', 'gradients must be named after live variables', `got ${JSON.stringify(name)}`);
  return found;
}

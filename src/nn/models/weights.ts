/** Matches weights by name with those of a model file. */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import type { LayerVariable } from '../layers/layer_variable.ts';

/** Finds the weight a file's name means: itself, without a model's name in front, or without a cell's name before the last part. */
function findWeight(name: string, byName: ReadonlyMap<string, LayerVariable>): LayerVariable | undefined {
  const tokens = name.split('/');
  const candidates = [
    name,
    [...tokens.slice(0, -2), tokens[tokens.length - 1]].join('/'),
    tokens.slice(1).join('/'),
    tokens.slice(-2).join('/'),
  ];
  for (const candidate of candidates) {
    const weight = byName.get(candidate);
    if (weight) return weight;
  }
  return undefined;
}

/** Checks everything before it assigns anything: a bad file leaves the model as it was. */
export function assignNamedWeights(
  op: string,
  weights: readonly LayerVariable[],
  values: { readonly [name: string]: Tensor },
  { strict, placeOf }: { strict: boolean; placeOf: (weight: LayerVariable) => string },
): void {
  const byName = new Map(weights.map((weight) => [weight.originalName, weight]));
  const found = new Map<LayerVariable, Tensor>();
  for (const [name, value] of Object.entries(values)) {
    const weight = findWeight(name, byName);
    if (!weight) {
      if (!strict) continue;
      fail(op, 'every weight given must belong to the model', `got ${name}`, 'pass strict = false to leave it out');
    }
    if (found.has(weight)) fail(op, `${weight.originalName} must be given once`, `got it again as ${name}`);
    if (!sameShape(value.shape, weight.shape)) {
      const came = `the weight given is ${showShape(value.shape)}; ${placeOf(weight)}`;
      fail(op, `${weight.originalName} must be ${showShape(weight.shape)}`, came, 'was it saved from another model?');
    }
    found.set(weight, value);
  }
  const missing = weights.filter((weight) => !found.has(weight));
  if (strict && missing.length > 0) {
    const names = missing.map((weight) => weight.originalName).join(', ');
    const came = `${missing.length} are missing: ${names}; of the first, ${placeOf(missing[0])}`;
    fail(op, 'every weight of the model must be given', came);
  }
  for (const [weight, value] of found) weight.restore(value);
}

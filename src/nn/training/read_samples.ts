/** Reads and checks what fit and evaluate take: inputs, labels, weights of samples and classes, to the host. */
import { fail } from '../../base/errors.ts';
import { shapesOf } from '../layers/shapes.ts';
import type { Loss } from '../losses.ts';
import type { LayersModel } from '../models/layers_model.ts';
import type { LabelledSamples } from './batch.ts';
import { checkInputs, checkLabels, checkNoNaN, checkTargets, nameOf } from './checks.ts';
import { type BatchWeights, batchShape, Samples, samplesOf, tensorsOf } from './samples.ts';

/** Reads and checks inputs, labels and weights. */
export function readSamples(
  op: string,
  model: LayersModel,
  x: unknown,
  y: unknown,
  weights: BatchWeights = {},
): LabelledSamples {
  const compiled = model.compiled(op);
  const inputNames = model.inputs.length > 0 ? model.inputNames : null;
  const xs = tensorsOf(op, 'x', x, inputNames);
  checkInputs(op, model, xs);
  const hasLabels = y !== undefined && y !== null;
  // A step of the user's own may want no labels, and any number of them.
  const custom = model.hasOwnStep;
  const count = batchShape(op, 'x', xs[0])[0];
  const { losses, outputs } = compiled;
  const names = custom && !hasLabels ? [] : outputs.map(({ name }) => name);
  const ys = hasLabels || !custom ? tensorsOf(op, 'y', y, custom ? null : names) : [];
  if (!custom) checkTargets(op, model, losses, count, ys);
  const data = {
    count,
    x: xs.map((tensor, i) => samplesOf(op, nameOf('x', i, xs.length), tensor)),
    y: ys.map((tensor, i) => samplesOf(op, nameOf('y', i, ys.length), tensor)),
  };
  if (!custom) {
    const shapes = shapesOf(model.outputShape!);
    data.y.forEach((samples, i) => {
      const loss = losses[i];
      if (loss) checkLabels(op, loss, samples, shapes[i][shapes[i].length - 1] ?? Number.POSITIVE_INFINITY);
    });
  }
  for (const [i, samples] of data.x.entries()) checkNoNaN(op, nameOf('x', i, xs.length), samples);
  return { ...data, w: readWeights(op, names, losses, data, weights) };
}

function readWeights(
  op: string,
  names: readonly string[],
  losses: readonly (Loss | null)[],
  { y, count }: { readonly y: readonly Samples[]; readonly count: number },
  { sampleWeight, classWeight }: BatchWeights,
): (Samples | null)[] {
  const slots = y.map((): Samples | null => null);
  if (sampleWeight !== undefined && sampleWeight !== null) {
    const single = tensorsOf(
      op,
      'sampleWeight',
      sampleWeight,
      Array.isArray(sampleWeight) || names.length === 1 ? names : null,
    );
    const list = single.length === 1 && y.length > 1 ? y.map(() => single[0]) : single;
    list.forEach((tensor, i) => {
      const which = nameOf('sampleWeight', i, list.length);
      if (tensor.rank === 0 || tensor.shape[0] !== count) {
        fail(op, `${which} must have a weight for each of ${count} samples`, `got [${tensor.shape.join(',')}]`);
      }
      const values = tensor.dataSync();
      slots[i] = new Samples(Float32Array.from(values), 'float32', count, tensor.shape.slice(1));
      checkNoNaN(op, which, slots[i]!);
    });
  }
  if (classWeight === undefined || classWeight === null) return slots;
  return slots.map((slot, i) => {
    const own = classWeightOf(op, classWeight, names, i);
    return own ? withClassWeight(op, own, slot, y[i], losses[i]) : slot;
  });
}

function classWeightOf(
  op: string,
  value: unknown,
  names: readonly string[],
  i: number,
): ReadonlyMap<number, number> | null {
  let own = value;
  if (Array.isArray(value)) own = value[i];
  else if (names.length > 1 || (typeof value === 'object' && value !== null && Object.hasOwn(value, names[i] ?? ''))) {
    own = (value as { [name: string]: unknown })[names[i]];
  }
  if (own === undefined || own === null) return null;
  if (typeof own !== 'object') fail(op, 'classWeight must be an object of class number: weight', `got ${typeof own}`);
  const entries = Object.entries(own).map(([key, weight]): [number, number] => [Number(key), Number(weight)]);
  for (const [key, weight] of entries) {
    const valid = Number.isSafeInteger(key) && key >= 0 && Number.isFinite(weight) && weight >= 0;
    if (!valid) fail(op, 'classWeight must give classes weights of 0 or more', `got ${key}: ${weight}`);
  }
  return new Map(entries);
}

/** The weight of each sample by its class, times the weight it has. */
function withClassWeight(
  op: string,
  byClass: ReadonlyMap<number, number>,
  weights: Samples | null,
  y: Samples,
  loss: Loss | null | undefined,
): Samples {
  const size = y.values.length / y.count;
  const oneHot = size > 1 && loss?.labels !== 'sparse';
  if (!oneHot && size !== 1)
    fail(op, 'classWeight needs one class for each sample', `got labels [${y.shape.join(',')}]`);
  const out = new Float32Array(y.count);
  for (let sample = 0; sample < y.count; sample++) {
    let label = y.values[sample * size];
    if (oneHot) {
      label = 0;
      for (let k = 1; k < size; k++) if (y.values[sample * size + k] > y.values[sample * size + label]) label = k;
    }
    const weight = byClass.get(label);
    if (weight === undefined) {
      fail(op, 'classWeight must have a weight for every class', `class ${label} of sample ${sample} has none`);
    }
    out[sample] = weight;
  }
  if (!weights) return new Samples(out, 'float32', y.count, []);
  const inner = weights.values.length / weights.count;
  const product = Float32Array.from(weights.values, (value, i) => value * out[Math.floor(i / inner)]);
  return new Samples(product, 'float32', y.count, weights.shape);
}

/** Checks of arguments and data before training starts, so that a mistake is named where it is, not where it shows. */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import { type KerasShape, shapesOf, showKerasShape } from '../layers/shapes.ts';
import { checkLabelShape, type Loss } from '../losses.ts';
import type { LayersModel } from '../models/layers_model.ts';
import { batchShape, type Samples } from './samples.ts';

export function checkCount(op: string, name: string, value: unknown, minimum = 1): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum) return value;
  fail(op, `${name} must be an integer of at least ${minimum}`, `got ${value}`);
}

/** x must be a batch of what the model was built for. Models without a graph are built for the first x they see. */
export function checkInputs(op: string, model: LayersModel, x: readonly Tensor[]): void {
  const shapes = x.map((tensor, i) => batchShape(op, nameOf('x', i, x.length), tensor));
  shapes.forEach((shape, i) => {
    if (shape[0] === shapes[0][0]) return;
    fail(
      op,
      'all inputs must have the same number of samples',
      `x has ${shapes[0][0]}, ${nameOf('x', i, x.length)} has ${shape[0]}`,
    );
  });
  if (model.inputs.length === 0) {
    const open = shapes.map((shape): KerasShape => [null, ...shape.slice(1)]);
    if (!model.built) model.ensureBuilt(open.length === 1 ? open[0] : open);
    return;
  }
  model.inputs.forEach(({ shape: expected }, i) => {
    const shape = shapes[i];
    const fits =
      shape.length === expected.length &&
      shape.every((n, axis) => axis === 0 || expected[axis] === null || expected[axis] === n);
    if (fits) return;
    const missing = expected.length === shape.length + 1 ? 'expandDims or reshape: an axis is missing' : 'reshape x';
    const which = `${nameOf('x', i, x.length)}, for input layer ${model.inputNames[i]} of model ${model.name},`;
    fail(
      op,
      `${which} must be ${showKerasShape(expected)}, as the model was built`,
      `got ${showKerasShape(shape)}`,
      missing,
    );
  });
}

/** `x`, or `x[1]` where there are several. */
export function nameOf(what: string, i: number, count: number): string {
  return count > 1 ? `${what}[${i}]` : what;
}

/** `layer dense_2 (4 of 4 of model net)`: where an output comes from, for errors. */
export function outputPlace(model: LayersModel, index: number): string {
  const source = model.outputs[index]?.sourceLayer;
  if (!source) return `model ${model.name}`;
  return `layer ${source.name} (${model.layers.indexOf(source) + 1} of ${model.layers.length} of model ${model.name})`;
}

/** Labels must fit the outputs and the losses on them. */
export function checkTargets(
  op: string,
  model: LayersModel,
  losses: readonly (Loss | null)[],
  samples: number,
  y: readonly Tensor[],
): void {
  const outputs = shapesOf(model.outputShape!);
  y.forEach((tensor, i) => {
    const name = nameOf('y', i, y.length);
    const labels = batchShape(op, name, tensor);
    if (samples !== labels[0]) {
      fail(op, `x and ${name} must have the same number of samples`, `x has ${samples}, ${name} has ${labels[0]}`);
    }
    const loss = losses[i];
    const output = outputs[i].slice(1);
    // Extents that are open are known when the step is traced, and checked then.
    if (loss && !output.includes(null)) {
      checkLabelShape(op, loss, labels, [labels[0], ...(output as number[])], outputPlace(model, i));
    }
  });
}

/** Throws where a value is NaN, naming the first. */
export function checkNoNaN(op: string, name: string, { values, count }: Samples): void {
  if (!(values instanceof Float32Array)) return;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) {
      const sample = Math.floor(i / (values.length / count));
      fail(op, `${name} must not hold NaN`, `sample ${sample} has one`, 'clean the data, or look at how it was scaled');
    }
  }
}

/** Labels must name classes that the model has. `classes` is the last extent of its output. */
export function checkLabels(op: string, loss: Loss, y: Samples, classes: number): void {
  checkNoNaN(op, 'y', y);
  if (loss.labels === 'sparse') checkClassNumbers(op, y, classes);
  if (loss.labels === 'oneHot' && y.shape.length === 1) checkOneHotRows(op, y, classes);
}

function checkClassNumbers(op: string, { values, count }: Samples, classes: number): void {
  for (let i = 0; i < values.length; i++) {
    const label = values[i];
    if (label >= 0 && label < classes && Number.isInteger(label)) continue;
    const sample = Math.floor(i / (values.length / count));
    const hint = label === classes ? 'do the labels count from 1?' : 'check the units of the last layer';
    fail(op, `labels must be integers in [0, ${classes - 1}]`, `the label of sample ${sample} is ${label}`, hint);
  }
}

function checkOneHotRows(op: string, { values, count }: Samples, classes: number): void {
  for (let sample = 0; sample < count; sample++) {
    let total = 0;
    for (let i = sample * classes; i < (sample + 1) * classes; i++) {
      const share = values[i];
      if (share < 0 || share > 1) {
        const hint = "use loss 'sparseCategoricalCrossentropy' for class numbers";
        fail(op, 'one-hot labels must lie in [0, 1]', `sample ${sample} has ${share} for class ${i % classes}`, hint);
      }
      total += share;
    }
    if (total === 0) {
      const hint = `was its class outside [0, ${classes - 1}]?`;
      fail(op, 'one-hot labels must name a class', `the row of sample ${sample} is all zeros`, hint);
    }
  }
}

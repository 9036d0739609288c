/** Checks of arguments and data before training starts, so that a mistake is named where it is, not where it shows. */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import { showKerasShape } from '../layers/shapes.ts';
import { checkLabelShape, type Loss } from '../losses.ts';
import type { LayersModel } from '../models/layers_model.ts';
import { batchShape, type Samples } from './samples.ts';

export function checkCount(op: string, name: string, value: unknown, minimum = 1): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum) return value;
  fail(op, `${name} must be an integer of at least ${minimum}`, `got ${value}`);
}

/** x must be a batch of what the model was built for. */
export function checkInput(op: string, model: LayersModel, x: Tensor): void {
  const shape = batchShape(op, 'x', x);
  const expected = model.inputShape;
  const fits =
    shape.length === expected.length &&
    shape.every((n, axis) => axis === 0 || expected[axis] === null || expected[axis] === n);
  if (fits) return;
  const missing = expected.length === shape.length + 1 ? 'expandDims or reshape: an axis is missing' : 'reshape x';
  fail(op, `x must be ${showKerasShape(expected)}, as the model was built`, `got ${showKerasShape(shape)}`, missing);
}

export function checkPair(op: string, model: LayersModel, loss: Loss, x: Tensor, y: Tensor): void {
  checkInput(op, model, x);
  const [samples] = batchShape(op, 'x', x);
  const labels = batchShape(op, 'y', y);
  if (samples !== labels[0]) {
    fail(op, 'x and y must have the same number of samples', `x has ${samples}, y has ${labels[0]}`);
  }
  checkLabelShape(op, loss, labels, [labels[0], ...(model.outputShape.slice(1) as number[])]);
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

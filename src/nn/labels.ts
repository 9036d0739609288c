/** Labels as networks want them. */
import { fail } from '../base/errors.ts';
import { Tensor, tensor } from '../tensor/index.ts';
import { sizeOf } from '../types/shape.ts';

/**
 * Class numbers -> rows with a one at the class: [...] -> [..., numClasses], float32. Source: Keras's to_categorical.
 *
 * @param labels class numbers, integers in [0, numClasses)
 * @param numClasses default: the largest label and one
 */
export function toCategorical(labels: Tensor | ArrayLike<number>, numClasses?: number): Tensor {
  const op = 'toCategorical';
  const values = labels instanceof Tensor ? Array.from(labels.dataSync() as ArrayLike<number>, Number) : labels;
  let shape = labels instanceof Tensor ? [...labels.shape] : [labels.length];
  if (shape.length > 1 && shape[shape.length - 1] === 1) shape = shape.slice(0, -1);
  let largest = -1;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isInteger(values[i]) || values[i] < 0) {
      fail(op, 'labels must be non-negative integers', `label ${i} is ${values[i]}`);
    }
    largest = Math.max(largest, values[i]);
  }
  const classes = numClasses ?? largest + 1;
  if (!Number.isSafeInteger(classes) || classes < 1)
    fail(op, 'numClasses must be a positive integer', `got ${classes}`);
  const out = new Float32Array(sizeOf(shape) * classes);
  for (let i = 0; i < values.length; i++) {
    if (values[i] >= classes) {
      const hint = `pass numClasses ${largest + 1} or more`;
      fail(op, `labels must be in [0, ${classes - 1}]`, `label ${i} is ${values[i]}`, hint);
    }
    out[i * classes + values[i]] = 1;
  }
  return tensor(out, [...shape, classes], 'float32');
}

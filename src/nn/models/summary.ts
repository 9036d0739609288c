/** The table that model.summary prints, in TensorFlow.js's form. */
import { sizeOf } from '../../types/shape.ts';
import type { LayerVariable } from '../layers/layer_variable.ts';
import { type KerasShape, showKerasShape } from '../layers/shapes.ts';
import type { LayersModel } from './layers_model.ts';

const defaultPositions = [0.32, 0.61, 0.89, 1];
const headers = ['Layer (type)', 'Input Shape', 'Output shape', 'Param #'];

function row(fields: readonly string[], positions: readonly number[]): string {
  let line = '';
  fields.forEach((field, i) => {
    if (i > 0) line = `${line.slice(0, -1)} `;
    line = (line + field).slice(0, positions[i]).padEnd(positions[i]);
  });
  return line;
}

function count(weights: readonly LayerVariable[]): number {
  return weights.reduce((total, weight) => total + sizeOf(weight.shape), 0);
}

export function printSummary(
  model: LayersModel,
  lineLength = 90,
  positions: readonly number[] = defaultPositions,
  print: (line: string) => void = console.log,
): void {
  const columns =
    positions[positions.length - 1] <= 1 ? positions.map((share) => Math.floor(share * lineLength)) : [...positions];
  const show = (shape: KerasShape | null) => (shape ? showKerasShape(shape) : 'unknown');
  const width = Math.max(lineLength, columns[columns.length - 1]);
  print('_'.repeat(width));
  print(row(headers, columns));
  print('='.repeat(width));
  model.layers.forEach((layer, i) => {
    const title = `${layer.name} (${layer.getClassName()})`;
    print(row([title, `[${show(layer.inputShape)}]`, show(layer.outputShape), String(layer.countParams())], columns));
    print((i === model.layers.length - 1 ? '=' : '_').repeat(width));
  });
  const trainable = count(model.trainableWeights);
  const frozen = count(model.nonTrainableWeights);
  print(`Total params: ${trainable + frozen}`);
  print(`Trainable params: ${trainable}`);
  print(`Non-trainable params: ${frozen}`);
  print('_'.repeat(width));
}

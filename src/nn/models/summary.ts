/** The table that model.summary prints, in TensorFlow.js's form. */
import { sizeOf } from '../../types/shape.ts';
import type { Layer } from '../layers/layer.ts';
import type { LayerVariable } from '../layers/layer_variable.ts';
import { type KerasShape, type ShapeOrShapes, showShapes } from '../layers/shapes.ts';
import type { LayerNode } from '../layers/symbolic.ts';
import type { LayerGraph } from './layer_graph.ts';
import type { LayersModel } from './layers_model.ts';

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

/** One layer after the other, each called once, with one input. */
function isChain({ nodes, depths, inputs }: LayerGraph): boolean {
  const perDepth = new Set(depths.values());
  const layers = new Set(nodes.map((node) => node.layer));
  return (
    inputs.length === 1 &&
    perDepth.size === nodes.length &&
    layers.size === nodes.length &&
    nodes.every((node) => node.inputs.length <= 1)
  );
}

/** Where a layer's inputs come from: layer[call][output]. */
function connections(layer: Layer, graph: LayerGraph): string[] {
  const inGraph = new Set(graph.nodes);
  return layer.inboundNodes
    .filter((node) => inGraph.has(node))
    .flatMap(({ inputs }) =>
      inputs.map((input) => `${input.sourceLayer.name}[${input.nodeIndex}][${input.tensorIndex}]`),
    );
}

/** Shapes of all calls, or of the last build where the layer was not drawn. */
function shapes(layer: Layer): [string, string] {
  const show = (shape: ShapeOrShapes | null) => (shape ? showShapes(shape) : 'unknown');
  const list = (all: readonly KerasShape[]) => `[${all.map(showShapes).join(',')}]`;
  const inputOf = ({ inputs, outputs }: LayerNode) =>
    list((inputs.length > 0 ? inputs : outputs).map(({ shape }) => shape));
  const outputs = new Set(layer.inboundNodes.map(({ outputs }) => JSON.stringify(outputs.map(({ shape }) => shape))));
  const input =
    layer.inboundNodes.length > 0
      ? layer.inboundNodes.map(inputOf).join(',')
      : `[${layer.inputShape ? show(layer.inputShape) : 'unknown'}]`;
  return [input, outputs.size > 1 ? 'multiple' : show(layer.outputShape)];
}

export function printSummary(
  model: LayersModel,
  lineLength?: number,
  positions?: readonly number[],
  print: (line: string) => void = console.log,
): void {
  const { graph } = model as { graph?: LayerGraph };
  const chain = !graph || isChain(graph);
  const length = lineLength ?? (chain ? 90 : 115);
  const shares = positions ?? (chain ? [0.32, 0.61, 0.89, 1] : [0.24, 0.48, 0.7, 0.8, 1]);
  const columns = shares[shares.length - 1] <= 1 ? shares.map((share) => Math.floor(share * length)) : [...shares];
  const width = Math.max(length, columns[columns.length - 1]);
  print('_'.repeat(width));
  print(row(chain ? headers : [...headers, 'Receives inputs'], columns));
  print('='.repeat(width));
  model.layers.forEach((layer, i) => {
    const fields = [
      `${layer.name} (${layer.getClassName()})`,
      ...shapes(layer),
      String(layer.built ? layer.countParams() : 0),
    ];
    const from = chain ? [] : connections(layer, graph!);
    print(row(chain ? fields : [...fields, from[0] ?? ''], columns));
    for (const more of from.slice(1)) print(row(['', '', '', '', more], columns));
    print((i === model.layers.length - 1 ? '=' : '_').repeat(width));
  });
  const trainable = count(model.trainableWeights);
  const frozen = count(model.nonTrainableWeights);
  print(`Total params: ${trainable + frozen}`);
  print(`Trainable params: ${trainable}`);
  print(`Non-trainable params: ${frozen}`);
  print('_'.repeat(width));
}

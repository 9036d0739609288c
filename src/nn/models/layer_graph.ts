/**
 * The graph between symbolic inputs and outputs: its nodes in an order in which they can run, its layers in Keras's order, and
 * how it is run on tensors. What functional and sequential models have in common. Knows no training.
 */
import { fail, placed } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import { InputLayer } from '../layers/input_layer.ts';
import type { CallOptions, Layer } from '../layers/layer.ts';
import { isShapeList, type KerasShape, type ShapeOrShapes } from '../layers/shapes.ts';
import type { LayerNode, SymbolicTensor } from '../layers/symbolic.ts';

export class LayerGraph {
  readonly name: string;
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
  /** Every node after those whose outputs it reads; entries first where they come first. */
  readonly nodes: readonly LayerNode[];
  /** By depth, the farthest from the outputs first. */
  readonly layers: readonly Layer[];
  /** The longest way from a node to an output. */
  readonly depths: ReadonlyMap<LayerNode, number>;

  constructor(name: string, inputs: readonly SymbolicTensor[], outputs: readonly SymbolicTensor[]) {
    this.name = name;
    this.inputs = inputs;
    this.outputs = outputs;
    const walk = walkBack(name, inputs, outputs);
    this.nodes = walk.order;
    this.depths = depthsOf(walk.order);
    this.layers = sortedLayers(walk, this.depths);
    this.#checkInputs();
    this.#checkNames();
  }

  /** An input that no output depends on could only be a mistake. */
  #checkInputs(): void {
    const entries = new Set(this.nodes.flatMap((node) => node.outputs));
    for (const [i, input] of this.inputs.entries()) {
      if (entries.has(input)) continue;
      const came = `input ${i} (layer ${input.sourceLayer.name}) leads to none of them`;
      fail('model', `every input of model ${this.name} must lead to an output`, came, 'leave it out of inputs');
    }
  }

  #checkNames(): void {
    const seen = new Set<string>();
    for (const { name } of this.layers) {
      if (seen.has(name)) {
        fail('model', `each layer of model ${this.name} must have its own name`, `got ${name} twice`, 'rename one');
      }
      seen.add(name);
    }
  }

  /** The outputs for these inputs. */
  run(inputs: readonly Tensor[], options: CallOptions): Tensor[] {
    const values = new Map<SymbolicTensor, Tensor>();
    this.inputs.forEach((input, i) => {
      values.set(input, inputs[i]);
    });
    for (const node of this.nodes) {
      if (node.outputs.every((output) => values.has(output))) continue;
      const given = node.inputs.map((input) => values.get(input)!);
      const result = this.#placed(node, () =>
        node.layer.apply(node.isList ? given : given[0], callOptions(node, options)),
      );
      const list = Array.isArray(result) ? (result as Tensor[]) : [result];
      node.outputs.forEach((output, i) => {
        values.set(output, list[i]);
      });
    }
    return this.outputs.map((output) => values.get(output)!);
  }

  /** Shapes of the outputs for inputs of these shapes. */
  shapes(inputs: readonly KerasShape[]): KerasShape[] {
    const known = new Map<SymbolicTensor, KerasShape>();
    this.inputs.forEach((input, i) => {
      known.set(input, inputs[i]);
    });
    for (const node of this.nodes) {
      if (node.outputs.every((output) => known.has(output))) continue;
      const given = node.inputs.map((input) => known.get(input)!);
      const shape: ShapeOrShapes = this.#placed(node, () =>
        node.layer.computeOutputShape(node.isList ? given : given[0]),
      );
      node.outputs.forEach((output, i) => {
        known.set(output, isShapeList(shape) ? shape[i] : shape);
      });
    }
    return this.outputs.map((output) => known.get(output)!);
  }

  /** A mistake inside of a layer is reported with the layer's place. */
  #placed<T>(node: LayerNode, body: () => T): T {
    const where = () => {
      const place = this.layers.indexOf(node.layer) + 1;
      const before = [...new Set(node.inputs.map((input) => input.sourceLayer.name))].join(', ');
      return `it is layer ${place} of ${this.layers.length} of model ${this.name}, after ${before}`;
    };
    return placed(where, body);
  }
}

function callOptions(node: LayerNode, options: CallOptions): CallOptions {
  return { ...node.options, ...(options.training === undefined ? {} : { training: options.training }) };
}

interface Walk {
  readonly order: LayerNode[];
  /** Layers as they are met on the way back from the outputs. */
  readonly met: Layer[];
}

/** Depth first from the outputs, without recursion: models may be thousands of layers deep. */
function walkBack(name: string, inputs: readonly SymbolicTensor[], outputs: readonly SymbolicTensor[]): Walk {
  const given = new Set(inputs);
  const order: LayerNode[] = [];
  const met = new Set<Layer>();
  const state = new Map<LayerNode, 'open' | 'done'>();
  const stack: { node: LayerNode; next: number }[] = [];
  const enter = (tensor: SymbolicTensor, reader: LayerNode | null) => {
    const { node } = tensor;
    if (state.get(node) === 'done') return;
    if (state.get(node) === 'open') {
      const came = `${node.label} waits for its own output through ${reader?.label ?? 'an output'}`;
      fail('model', `model ${name} must have no cycle`, came);
    }
    met.add(node.layer);
    state.set(node, 'open');
    if (!given.has(tensor) && node.inputs.length === 0) failUnconnected(name, tensor, reader, order);
    stack.push({ node, next: given.has(tensor) ? node.inputs.length : 0 });
  };
  for (const output of outputs) {
    enter(output, null);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.node.inputs.length) enter(top.node.inputs[top.next++], top.node);
      else {
        state.set(top.node, 'done');
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return { order, met: [...met] };
}

function failUnconnected(
  name: string,
  { sourceLayer, shape }: SymbolicTensor,
  reader: LayerNode | null,
  order: readonly LayerNode[],
): never {
  const isInput = sourceLayer instanceof InputLayer;
  const what = isInput ? `input ${sourceLayer.name} [${shape.map((n) => n ?? 'null').join(',')}]` : sourceLayer.name;
  const reached = order.length > 0 ? `; reached so far: ${order.map((node) => node.layer.name).join(', ')}` : '';
  const came = `${reader ? `layer ${reader.layer.name}` : 'an output'} needs ${what}, which is not among them${reached}`;
  fail('model', `every output of model ${name} must follow from its inputs`, came, `add ${sourceLayer.name} to inputs`);
}

function depthsOf(order: readonly LayerNode[]): Map<LayerNode, number> {
  const depths = new Map<LayerNode, number>();
  const ofLayer = new Map<Layer, number>();
  for (const node of [...order].reverse()) {
    const depth = Math.max(depths.get(node) ?? 0, ofLayer.get(node.layer) ?? 0);
    ofLayer.set(node.layer, depth);
    depths.set(node, depth);
    for (const { node: before } of node.inputs) depths.set(before, Math.max(depth + 1, depths.get(before) ?? 0));
  }
  return depths;
}

function sortedLayers({ order, met }: Walk, depths: ReadonlyMap<LayerNode, number>): Layer[] {
  const ofLayer = new Map<Layer, number>();
  for (const node of order) {
    ofLayer.set(node.layer, Math.max(ofLayer.get(node.layer) ?? 0, depths.get(node)!));
  }
  return [...met].sort((a, b) => ofLayer.get(b)! - ofLayer.get(a)!);
}

/**
 * The config of a graph of layers, as TensorFlow.js and Keras 2 write it ([layer, node, tensor, options] for each input of a
 * call) and, for reading, as Keras 3 does (a __keras_tensor__ in the arguments of each call).
 */
import { fail, placed } from '../../base/errors.ts';
import type { Layer } from '../layers/layer.ts';
import { withModelScope } from '../layers/layer_variable.ts';
import type { LayerNode, SymbolicTensor } from '../layers/symbolic.ts';
import { type Config, fromPythonic, isSerializedObject, type SerializedObject } from '../keras_config.ts';
import { deserializeLayer } from '../layers/registry.ts';
import type { LayerGraph } from './layer_graph.ts';
import { LayersModel } from './layers_model.ts';

/** A layer, the call, and which of its outputs. */
type Place = readonly [string, number, number];

export function graphConfig(name: string, graph: LayerGraph): Config {
  const inGraph = new Set(graph.nodes);
  // Calls of a layer outside of this model do not count.
  const indexOf = (node: LayerNode) => {
    const index = node.layer.inboundNodes.filter((other) => inGraph.has(other)).indexOf(node);
    return node.layer instanceof LayersModel ? index + 1 : index;
  };
  const place = ({ node, tensorIndex }: SymbolicTensor): Place => [node.layer.name, indexOf(node), tensorIndex];
  const layers = graph.layers.map((layer) => ({
    name: layer.name,
    className: layer.getClassName(),
    config: layer.getConfig(),
    inboundNodes: layer.inboundNodes
      .filter((node) => inGraph.has(node) && node.inputs.length > 0)
      .map((node) => node.inputs.map((input) => [...place(input), plainOptions(node)])),
  }));
  return { name, layers, inputLayers: graph.inputs.map(place), outputLayers: graph.outputs.map(place) };
}

function plainOptions({ options }: LayerNode): Config {
  const plain = Object.entries(options).filter(([, value]) => typeof value !== 'object' && typeof value !== 'function');
  return Object.fromEntries(plain);
}

interface Call {
  readonly inputs: readonly Place[];
  readonly isList: boolean;
  readonly options: Config;
}

/** Inputs and outputs, with the layers between made anew. */
export function graphFromConfig(
  op: string,
  config: Config,
): { inputs: SymbolicTensor[]; outputs: SymbolicTensor[]; name?: string } {
  const { layers: list, name } = config;
  if (!Array.isArray(list)) fail(op, 'config.layers must be a list of layers', `got ${typeof list}`);
  const label = typeof name === 'string' ? name : 'model';
  return withModelScope(label, () => {
    const layers = new Map<string, Layer>();
    const waiting: { layer: Layer; calls: Call[] }[] = [];
    for (const item of list as unknown[]) {
      if (!isSerializedObject(item)) fail(op, 'each layer must have a class_name and a config', 'one has none');
      const layer = deserializeLayer(op, { className: item.className, config: { ...item.config } });
      const own = (item as SerializedObject & { name?: unknown }).name;
      const known = typeof own === 'string' ? own : layer.name;
      if (layers.has(known)) fail(op, 'each layer must have its own name', `got ${known} twice`);
      layers.set(known, layer);
      const nodes = (item as unknown as Config)['inboundNodes'] ?? [];
      if (!Array.isArray(nodes)) fail(op, `the inbound nodes of ${known} must be a list`, `got ${typeof nodes}`);
      waiting.push({ layer, calls: nodes.map((node: unknown) => parseCall(op, known, node)) });
    }
    const calls = new Map(waiting.map(({ layer, calls }) => [layer, calls.length]));
    const entries = [
      ...placesOf(op, 'inputLayers', config['inputLayers']),
      ...placesOf(op, 'outputLayers', config['outputLayers']),
    ];
    shiftNested(layers, calls, [...entries, ...waiting.flatMap((one) => one.calls.flatMap(({ inputs }) => inputs))]);
    drawCalls(op, label, layers, waiting);
    const resolve = (what: string) =>
      entries.splice(0, placesOf(op, what, config[what]).length).map((place) => {
        const found = tensorAt(op, layers, place);
        return found ?? fail(op, `${what} must name calls of layers`, `got ${place.join(', ')}, which there is not`);
      });
    return { inputs: resolve('inputLayers'), outputs: resolve('outputLayers'), ...(name ? { name: label } : {}) };
  });
}

/** Keras and TensorFlow.js count the inside of a model as its call 0, so that calls of a model inside another begin with 1. */
function shiftNested(
  layers: ReadonlyMap<string, Layer>,
  calls: ReadonlyMap<Layer, number>,
  places: readonly Place[],
): void {
  const shifted = new Set<string>();
  for (const [name, node] of places) {
    const layer = layers.get(name);
    if (layer instanceof LayersModel && node === calls.get(layer)) shifted.add(name);
  }
  for (const place of places) if (shifted.has(place[0])) (place as [string, number, number])[1]--;
}

/** Applies layers to what they are called with, in an order in which that is there. */
function drawCalls(
  op: string,
  model: string,
  layers: ReadonlyMap<string, Layer>,
  waiting: readonly { layer: Layer; calls: Call[] }[],
): void {
  for (let open = waiting.filter(({ calls }) => calls.length > 0); open.length > 0; ) {
    let moved = false;
    for (const { layer, calls } of open) {
      while (calls.length > 0) {
        const inputs = calls[0].inputs.map((place) => tensorAt(op, layers, place));
        if (inputs.some((input) => !input)) break;
        const { isList, options } = calls.shift()!;
        const found = inputs as SymbolicTensor[];
        const where = () =>
          `it is layer ${[...layers.values()].indexOf(layer) + 1} of ${layers.size} of model ${model}`;
        placed(where, () =>
          isList || found.length > 1 ? layer.apply(found, options) : layer.apply(found[0], options),
        );
        moved = true;
      }
    }
    open = open.filter(({ calls }) => calls.length > 0);
    if (moved || open.length === 0) continue;
    const names = open.map(
      ({ layer, calls }) => `${layer.name} (for ${calls[0].inputs.map(([name]) => name).join(', ')})`,
    );
    fail(op, `model ${model} must have no cycle`, `these layers wait for each other: ${names.join(', ')}`);
  }
}

function tensorAt(op: string, layers: ReadonlyMap<string, Layer>, [name, node, tensor]: Place): SymbolicTensor | null {
  const layer = layers.get(name);
  if (!layer) fail(op, 'a layer must be fed by layers of the model', `there is no layer ${JSON.stringify(name)}`);
  return layer.inboundNodes[node]?.outputs[tensor] ?? null;
}

function parseCall(op: string, layer: string, node: unknown): Call {
  if (Array.isArray(node)) {
    const list = typeof node[0] === 'string' ? [node] : node;
    const last = (list[list.length - 1] as unknown[] | undefined)?.[3];
    const options = typeof last === 'object' && last !== null ? (fromPythonic(last) as Config) : {};
    return { inputs: list.map((item) => parsePlace(op, layer, item)), isList: list.length > 1, options };
  }
  const { args, kwargs } = (node ?? {}) as { args?: unknown; kwargs?: unknown };
  if (!Array.isArray(args))
    fail(op, `a call of ${layer} must list what it reads`, `got ${JSON.stringify(node) ?? 'none'}`);
  const isList = args.length > 1 || Array.isArray(args[0]);
  const flat: unknown[] = args.flat();
  const inputs = flat.map((item) => {
    const history = ((item as Config)?.['config'] as Config)?.['keras_history'];
    return parsePlace(op, layer, history);
  });
  const { training: _, mask: __, ...options } = (fromPythonic(kwargs ?? {}) as Config) ?? {};
  return { inputs, isList, options };
}

function parsePlace(op: string, layer: string, item: unknown): Place {
  const [name, node, tensor] = Array.isArray(item) ? (item as unknown[]) : [];
  const valid = typeof name === 'string' && Number.isSafeInteger(node) && Number.isSafeInteger(tensor);
  if (!valid) fail(op, `what ${layer} reads must be [layer, node, tensor]`, `got ${JSON.stringify(item) ?? 'none'}`);
  return [name, node as number, tensor as number];
}

function placesOf(op: string, what: string, value: unknown): Place[] {
  if (!Array.isArray(value)) fail(op, `${what} must be a list`, `got ${typeof value}`);
  // Keras 3 writes a single place without a list around it.
  const list = typeof value[0] === 'string' ? [value] : value;
  return list.map((item: unknown) => parsePlace(op, what, item));
}

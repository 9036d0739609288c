/**
 * The table that makes layers (and models as layers) from their configs. It knows no class: those of the package are asked for
 * when a name is first looked up, all others enter by themselves.
 */
import { fail } from '../../base/errors.ts';
import { type Config, isSerializedObject, type SerializedObject } from '../keras_config.ts';
import { failUnknownName } from '../naming.ts';
import type { Layer } from './layer.ts';

/** A class that can stand in a model file. */
export interface LayerClass {
  readonly className: string;
  readonly name: string;
  readonly prototype: object;
  // The arguments of a layer are its config; each constructor checks its own.
  new (args: never): Layer;
}

const classes = new Map<string, (config: Config) => Layer>();
let builtIns: { classes: () => readonly LayerClass[]; aliases: () => Readonly<Record<string, LayerClass>> } | null =
  null;

/** Says where the package's own classes come from. They are loaded when a name is first looked up. */
export function setBuiltInLayers(
  list: () => readonly LayerClass[],
  aliases: () => Readonly<Record<string, LayerClass>>,
): void {
  builtIns = { classes: list, aliases };
}

/** All classes by name. A class of a user's own stands before one of the package with the same name. */
function known(): ReadonlyMap<string, (config: Config) => Layer> {
  if (builtIns) {
    const named: [string, LayerClass][] = builtIns.classes().map((layer) => [layer.className, layer]);
    for (const [name, layer] of [...named, ...Object.entries(builtIns.aliases())]) {
      if (!classes.has(name)) classes.set(name, makerOf(layer));
    }
    builtIns = null;
  }
  return classes;
}

function makerOf(layer: LayerClass): (config: Config) => Layer {
  const { fromConfig } = layer as { fromConfig?: (config: Config) => Layer };
  return fromConfig
    ? (config: Config) => fromConfig.call(layer, config)
    : (config: Config) => new layer(kerasArgs(config) as never);
}

/** The classes among what modules export that have a className of their own: bases that others extend have none. */
export function layerClassesOf(modules: readonly object[]): LayerClass[] {
  const exported: unknown[] = modules.flatMap((module) => Object.values(module));
  return exported.filter(
    (value): value is LayerClass => typeof value === 'function' && Object.hasOwn(value, 'className'),
  );
}

/** Makes a layer class known to loadLayersModel. A static fromConfig comes before the constructor. */
export function registerLayer(layer: LayerClass, ...aliases: string[]): void {
  if (!layer.className) fail('registerClass', 'a layer class needs a static className');
  for (const name of [layer.className, ...aliases]) classes.set(name, makerOf(layer));
}

/** The names that files may have. */
export function layerClassNames(): string[] {
  return [...known().keys()];
}

/** A layer from its class's name and its camelCase config. */
export function deserializeLayer(op: string, object: SerializedObject): Layer {
  const make = known().get(object.className);
  if (!make) failUnknownName(op, 'layer class', object.className, layerClassNames());
  return make(object.config ?? {});
}

/** Keras 3 says batch_shape where Keras 2 and TensorFlow.js say batch_input_shape; its dtype may be a policy object. */
export function kerasArgs(config: Config): Config {
  const { batchShape, ...args } = config;
  if (batchShape !== undefined) args['batchInputShape'] = batchShape;
  // Layers read Keras's policy objects; of other objects nothing is known.
  if (typeof args['dtype'] !== 'string' && !isSerializedObject(args['dtype'])) delete args['dtype'];
  return args;
}

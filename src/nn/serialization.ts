/** tf.serialization: makes classes of the user's own known by name; layers among them to loadLayersModel. */
import { fail } from '../base/errors.ts';
import { type LayerClass, registerLayer } from './layers/index.ts';
import { Layer } from './layers/layer.ts';

/** A class that can be saved: its name in files, and how it is made of what getConfig gave. */
export interface SerializableClass {
  new (...args: never[]): object;
  readonly className: string;
  fromConfig?(cls: SerializableClass, config: unknown): unknown;
}

/** Base of classes that can be saved as their name and a plain object. */
export abstract class Serializable {
  /** What the constructor takes to make an equal object. */
  abstract getConfig(): Record<string, unknown>;

  /** The static className of the class. */
  getClassName(): string {
    return (this.constructor as unknown as SerializableClass).className;
  }

  /** An object of the class, made of its config. */
  static fromConfig<T>(cls: new (config: unknown) => T, config: unknown): T {
    return new cls(config);
  }
}

/** The classes by their className. */
export class SerializationMap {
  static #map: SerializationMap | null = null;
  readonly classNameMap: Record<string, [SerializableClass, SerializableClass['fromConfig']]> = {};

  static getMap(): SerializationMap {
    SerializationMap.#map ??= new SerializationMap();
    return SerializationMap.#map;
  }

  static register(cls: SerializableClass): void {
    SerializationMap.getMap().classNameMap[cls.className] = [cls, cls.fromConfig];
  }
}

const registeredNames = new Map<unknown, string>();

/**
 * Registers a class by its static className (for layers: what loadLayersModel finds it by), as `package>name`; the package is
 * 'Custom' and the name its className by default.
 */
export function registerClass<T extends SerializableClass | LayerClass>(cls: T, pkg = 'Custom', name?: string): T {
  const { className } = cls as SerializableClass;
  if (typeof className !== 'string' || className.length === 0) {
    fail(
      'registerClass',
      'the class must have a static className that is not empty',
      `got ${JSON.stringify(className)}`,
    );
  }
  SerializationMap.register(cls as SerializableClass);
  registeredNames.set(cls, `${pkg}>${name ?? className}`);
  if ((cls as { prototype: unknown }).prototype instanceof Layer) registerLayer(cls as LayerClass);
  return cls;
}

/** `package>name` of a registered class, the className of another. */
export function getRegisteredName(cls: SerializableClass | LayerClass): string {
  return registeredNames.get(cls) ?? (cls as SerializableClass).className;
}

export const serialization = { Serializable, SerializationMap, registerClass, getRegisteredName };

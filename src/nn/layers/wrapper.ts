/** What a layer around another layer is made of: the layer inside, its weights, its place in the config. Knows no wrapper. */
import { fail } from '../../base/errors.ts';
import { type Config, isSerializedObject, serialize } from '../keras_config.ts';
import { Layer, type LayerArgs } from './layer.ts';
import { withNameScope } from './layer_variable.ts';
import { deserializeLayer } from './registry.ts';
import type { ShapeOrShapes } from './shapes.ts';

export interface WrapperArgs extends LayerArgs {
  /** A layer, or, from a file, the class and the config of one. */
  layer: Layer;
}

/**
 * A layer around `layer`, whose weights are its own: it builds the layer inside for what it is given, and has it in its config. A class
 * of the user's own gives `call`, and `build` and `computeOutputShape` where the layer inside sees another shape.
 * Source: keras.layers.Wrapper.
 */
export abstract class Wrapper extends Layer {
  static override readonly className: string = 'Wrapper';
  readonly layer: Layer;

  constructor(args: WrapperArgs) {
    super(args);
    const given: unknown = args?.layer;
    const layer: unknown = isSerializedObject(given) ? deserializeLayer(this.label, given) : given;
    if (!(layer instanceof Layer)) fail(this.label, 'layer must be a layer', `got ${typeof layer}`);
    this.layer = layer;
  }
  override build(inputShape: ShapeOrShapes): void {
    withNameScope(this.name, () => this.layer.ensureBuilt(inputShape));
  }
  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    return this.layer.computeOutputShape(inputShape);
  }
  override getConfig(): Config {
    return { ...super.getConfig(), layer: serialize(this.layer) };
  }
}

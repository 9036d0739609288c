/** A layer whose output has the input's shape, and the input's mask. */
import { Layer, type LayerArgs } from './layer.ts';
import type { ShapeOrShapes } from './shapes.ts';

export abstract class ShapePreserving extends Layer {
  constructor(args: LayerArgs = {}) {
    super(args);
    this.supportsMasking = true;
  }
  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    return inputShape;
  }
}

/** Layers that give steps and patches their places: those of the Transformer and of ViT. */
import { fail } from '../../base/errors.ts';
import {
  Layer,
  type LayerArgs,
  type LayerVariable,
  type KerasShape,
  initializers,
  serialization,
} from '../../nn/index.ts';
import { add, broadcastTo, concat, reshape, slice, type Tensor, tensor2d } from '../../tensor/index.ts';

/** sin and cos of step / 10000^(2i / width), [steps, width]. */
function waves(steps: number, width: number): Float32Array {
  const table = new Float32Array(steps * width);
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < width; i++) {
      const angle = step / 10000 ** ((i - (i % 2)) / width);
      table[step * width + i] = i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return table;
}

/**
 * x + PE, where PE[step, 2i] = sin(step / 10000^(2i / width)) and PE[step, 2i + 1] the cosine of the same (Vaswani et al. 2017, 3.5).
 * Input and output [batch, steps, width]; no weights, any number of steps.
 */
export class SinusoidalPositions extends Layer {
  static override readonly className = 'SinusoidalPositions';
  constructor(args: LayerArgs = {}) {
    super(args);
    this.supportsMasking = true;
    this.inputSpec = { rank: 3 };
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }
  override call(inputs: Tensor): Tensor {
    const [, steps, width] = inputs.shape as readonly number[];
    return add(inputs, tensor2d(waves(steps, width), [steps, width]));
  }
}

/**
 * A learnt vector in front of the steps, where there is a class token, and a learnt vector added to each: input [batch, steps, width],
 * output [batch, steps + 1, width] (Dosovitskiy et al. 2020, equation 1).
 */
export class ClassTokenAndPositions extends Layer {
  static override readonly className = 'ClassTokenAndPositions';
  token: LayerVariable | null = null;
  positions: LayerVariable | null = null;

  override build(inputShape: KerasShape): void {
    const [, steps, width] = inputShape;
    if (inputShape.length !== 3 || steps === null || width === null) {
      fail(this.label, 'the input must be [batch, steps, width] with known steps', `got [${inputShape}]`);
    }
    const initializer = initializers.truncatedNormal({ stddev: 0.02 });
    this.token = this.addWeight('class_token', [1, 1, width], { initializer });
    this.positions = this.addWeight('positions', [1, steps + 1, width], { initializer });
    this.inputSpec = { rank: 3, axes: { 1: steps, 2: width } };
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return [inputShape[0], inputShape[1] === null ? null : inputShape[1] + 1, inputShape[2]];
  }
  override call(inputs: Tensor): Tensor {
    const [batch, , width] = inputs.shape as readonly number[];
    const token = broadcastTo(this.token!.read(), [batch, 1, width]);
    return add(concat([token, inputs], 1), this.positions!.read());
  }
}

/** The vector of the first step: input [batch, steps, width], output [batch, width]. */
export class FirstStep extends Layer {
  static override readonly className = 'FirstStep';
  constructor(args: LayerArgs = {}) {
    super(args);
    this.inputSpec = { rank: 3 };
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return [inputShape[0], inputShape[2]];
  }
  override call(inputs: Tensor): Tensor {
    const [batch, , width] = inputs.shape as readonly number[];
    return reshape(slice(inputs, [0, 0, 0], [batch, 1, width]), [batch, width]);
  }
}

for (const layer of [SinusoidalPositions, ClassTokenAndPositions, FirstStep]) {
  serialization.registerClass(layer);
}

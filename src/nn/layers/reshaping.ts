/** Layers that only change the shape: flatten and reshape. */
import { fail } from '../../base/errors.ts';
import { reshape, type Tensor, transpose } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { Layer, type LayerArgs } from './layer.ts';
import { checkDataFormat, type DataFormat, type KerasShape, showKerasShape } from './shapes.ts';

export interface FlattenArgs extends LayerArgs {
  /** 'channelsFirst' moves the channels last before flattening. */
  dataFormat?: DataFormat;
}

/** [batch, a, b, ...] -> [batch, a b ...]. Source: tf.layers.flatten. */
export class Flatten extends Layer {
  static override readonly className = 'Flatten';
  readonly dataFormat: DataFormat | undefined;

  constructor(args: FlattenArgs = {}) {
    super(args);
    this.dataFormat = args.dataFormat == null ? undefined : checkDataFormat(this.label, args.dataFormat);
    this.inputSpec = { minRank: 2 };
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    let size = 1;
    for (const extent of inputShape.slice(1)) {
      if (extent === null) {
        fail(this.label, 'every extent but the batch must be known', `got ${showKerasShape(inputShape)}`);
      }
      size *= extent;
    }
    return [inputShape[0], size];
  }

  override call(inputs: Tensor): Tensor {
    const channelsFirst = this.dataFormat === 'channelsFirst' && inputs.rank > 2;
    const axes = [0, ...Array.from({ length: inputs.rank - 2 }, (_, i) => i + 2), 1];
    const x = channelsFirst ? transpose(inputs, axes) : inputs;
    return reshape(x, [x.shape[0], x.shape.slice(1).reduce((a, b) => a * b, 1)]);
  }

  override getConfig(): Config {
    return { ...(this.dataFormat ? { dataFormat: this.dataFormat } : {}), ...super.getConfig() };
  }
}

export interface ReshapeArgs extends LayerArgs {
  /** Shape of one sample; one extent may be null or -1 and is then inferred. */
  targetShape: KerasShape;
}

/** [batch, ...] -> [batch, ...targetShape]. Source: tf.layers.reshape. */
export class Reshape extends Layer {
  static override readonly className = 'Reshape';
  readonly targetShape: KerasShape;

  constructor(args: ReshapeArgs) {
    super(args);
    if (!Array.isArray(args.targetShape)) {
      fail(this.label, 'targetShape must be a list of extents', `got ${JSON.stringify(args.targetShape)}`);
    }
    this.targetShape = [...args.targetShape];
    const open = this.targetShape.filter((extent) => extent === null || extent < 0).length;
    if (open > 1) fail(this.label, 'at most one extent of targetShape may be open', `got ${open} of them`);
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const input = inputShape.slice(1);
    if (input.includes(null)) return [inputShape[0], ...this.targetShape];
    const size = (input as number[]).reduce((a, b) => a * b, 1);
    const known = this.targetShape.reduce<number>((a, b) => (b === null || b < 0 ? a : a * b), 1);
    const out = this.targetShape.map((extent) => (extent === null || extent < 0 ? size / known : extent));
    if (out.reduce((a, b) => a * b, 1) !== size || out.some((extent) => !Number.isInteger(extent))) {
      fail(
        this.label,
        'targetShape must hold as many values as one sample',
        `a sample is ${showKerasShape(input)} with ${size}, targetShape is ${showKerasShape(this.targetShape)}`,
      );
    }
    return [inputShape[0], ...out];
  }

  override call(inputs: Tensor): Tensor {
    const shape = this.computeOutputShape(inputs.shape);
    return reshape(inputs, shape as number[]);
  }

  override getConfig(): Config {
    return { targetShape: this.targetShape, ...super.getConfig() };
  }
}

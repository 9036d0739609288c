/** Detection in one look: Tiny-YOLO of the second version. */
import { type Functional, type KerasShape, layers, model } from '../nn/index.ts';
import { checkCount, checkFactor, checkImageShape, checkNames } from './arguments.ts';
import { conv, image, maxPool, norm } from './blocks.ts';

export interface TinyYOLOArgs {
  /** [height, width, channels]; the grid has a cell for each 32 pixels. Default [416, 416, 3]. */
  inputShape?: KerasShape;
  /** Default 20, those of PASCAL VOC. */
  classes?: number;
  /** Boxes for each cell; default 5. */
  boxes?: number;
  /** Factor on the number of channels; default 1. */
  alpha?: number;
  name?: string;
}

/**
 * Tiny-YOLO (Redmon and Farhadi 2016, "YOLO9000"; the authors' tiny-yolo-voc): 15,867,885 parameters at 20 classes and 5 boxes, as many
 * numbers as their file of weights has. Nine convolutions, leaky relu 0.1. Input: 0..1. Output [batch, height / 32, width / 32,
 * boxes, 5 + classes] as it comes from the last convolution: sigmoid of the first two is the place in the cell, exp of the next two
 * the size in units of the box's prior, sigmoid of the fifth the confidence, softmax of the rest the class.
 */
export function TinyYOLO(args: TinyYOLOArgs = {}): Functional {
  const op = 'TinyYOLO';
  checkNames(op, args, ['inputShape', 'classes', 'boxes', 'alpha', 'name']);
  const { name = 'tinyyolo' } = args;
  const inputShape = checkImageShape(op, args.inputShape ?? [416, 416, 3], 32, false);
  const classes = checkCount(op, 'classes', args.classes ?? 20);
  const boxes = checkCount(op, 'boxes', args.boxes ?? 5);
  const alpha = checkFactor(op, 'alpha', args.alpha ?? 1);
  const entry = image({ inputShape, name });
  let x = entry;
  [16, 32, 64, 128, 256, 512, 1024, 1024].forEach((channels, i) => {
    x = conv(x, `conv${i + 1}`, Math.max(1, Math.round(channels * alpha)), 3, { useBias: false });
    x = norm(x, `conv${i + 1}_bn`, { epsilon: 1e-5 });
    x = layers.leakyReLU({ alpha: 0.1, name: `conv${i + 1}_leaky` }).apply(x);
    if (i < 6) x = maxPool(x, `pool${i + 1}`, 2, { strides: i < 5 ? 2 : 1, padding: i < 5 ? 'valid' : 'same' });
  });
  x = conv(x, 'conv9', boxes * (5 + classes), 1);
  const [, rows, columns] = x.shape;
  const outputs = layers.reshape({ targetShape: [rows!, columns!, boxes, 5 + classes], name: 'boxes' }).apply(x);
  return model({ inputs: entry, outputs, name });
}

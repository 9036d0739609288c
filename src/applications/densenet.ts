/** DenseNet: every layer of a block reads the outputs of all before it. */
import type { Functional } from '../nn/index.ts';
import { type ClassifierArgs, classifierOf } from './arguments.ts';
import {
  avgPool,
  channelsOf,
  concat,
  conv,
  image,
  maxPool,
  norm,
  padded,
  relu,
  type SymbolicTensor,
  withAverageTop,
} from './blocks.ts';

const bare = { useBias: false } as const;
const ready = (x: SymbolicTensor, normName: string, reluName: string) =>
  relu(norm(x, normName, { epsilon: 1.001e-5 }), reluName);

/** x and `growth` new channels, made through a bottleneck of four times as many. */
function denseLayer(x: SymbolicTensor, name: string, growth: number): SymbolicTensor {
  let y = conv(ready(x, `${name}_0_bn`, `${name}_0_relu`), `${name}_1_conv`, 4 * growth, 1, bare);
  y = conv(ready(y, `${name}_1_bn`, `${name}_1_relu`), `${name}_2_conv`, growth, 3, bare);
  return concat([x, y], `${name}_concat`);
}

/**
 * DenseNet-121 (Huang, Liu, van der Maaten, Weinberger 2017, BC with growth 32): 8,062,504 parameters at [224, 224, 3] and 1000 classes,
 * moving averages included; layers named as in keras.applications.DenseNet121. Transitions halve the channels. Input: RGB
 * scaled to 0..1, less ImageNet's means, over its deviations (`preprocessInput(x, {mode: 'torch'})`).
 */
export function DenseNet121(args: ClassifierArgs = {}): Functional {
  const net = classifierOf('DenseNet121', args, { inputShape: [224, 224, 3], least: 32 });
  const growth = net.width(32);
  const entry = image(net);
  let x = conv(padded(entry, 'conv1_pad', 3), 'conv1_conv', 2 * growth, 7, { ...bare, strides: 2, padding: 'valid' });
  x = padded(ready(x, 'conv1_bn', 'conv1_relu'), 'pool1_pad', 1);
  x = maxPool(x, 'pool1', 3, { strides: 2 });
  [6, 12, 24, 16].forEach((count, block) => {
    for (let i = 1; i <= count; i++) x = denseLayer(x, `conv${block + 2}_block${i}`, growth);
    if (block === 3) return;
    const name = `pool${block + 2}`;
    x = conv(ready(x, `${name}_bn`, `${name}_relu`), `${name}_conv`, channelsOf(x) >> 1, 1, bare);
    x = avgPool(x, `${name}_pool`, 2);
  });
  return withAverageTop(entry, ready(x, 'bn', 'relu'), net);
}

/** What pixels become before a network sees them. */
import { failUnknownName } from '../nn/naming.ts';
import { div, reverse, sub, type Tensor, tensor1d, tidy } from '../tensor/index.ts';
import { fail } from '../base/errors.ts';

export interface PreprocessArgs {
  /**
   * 'caffe' (the default): BGR less ImageNet's means 103.939, 116.779, 123.68. 'tf': x / 127.5 - 1. 'torch': (x / 255 - mean) / deviation
   * with means 0.485, 0.456, 0.406 and deviations 0.229, 0.224, 0.225.
   */
  mode?: 'caffe' | 'tf' | 'torch';
}

const modes = {
  caffe: (x: Tensor): Tensor => sub(reverse(x, -1), tensor1d([103.939, 116.779, 123.68])),
  tf: (x: Tensor): Tensor => sub(div(x, 127.5), 1),
  torch: (x: Tensor): Tensor => {
    const centered = sub(div(x, 255), tensor1d([0.485, 0.456, 0.406]));
    return div(centered, tensor1d([0.229, 0.224, 0.225]));
  },
};

/**
 * RGB pixels 0..255, float32 [..., 3], as networks trained on ImageNet want them; each network's page says its mode.
 * Source: keras.applications.imagenet_utils.preprocess_input.
 */
export function preprocessInput(x: Tensor, args: PreprocessArgs = {}): Tensor {
  const op = 'preprocessInput';
  const { mode = 'caffe' } = args;
  if (!Object.hasOwn(modes, mode)) failUnknownName(op, 'mode', mode, Object.keys(modes));
  if (x.shape[x.rank - 1] !== 3 && mode !== 'tf') {
    fail(op, 'the last axis must have the 3 channels of RGB', `got [${x.shape}]`);
  }
  return tidy(() => modes[mode](x.toFloat()));
}

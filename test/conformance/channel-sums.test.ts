/** The filter gradient of depthwise convolutions: ragged channels, strides, dilation, few and many images. */
import { beforeAll, describe, expect, it } from 'vitest';
import { apply, mul, parameter } from '../../src/ops/build.ts';
import type { NDArray } from '../../src/ops/row.ts';
import { sizeOf } from '../../src/types/shape.ts';
import { availableTargets, difference, reference, type Target } from './targets.ts';

let targets: Target[];
beforeAll(async () => {
  targets = (await availableTargets()).filter((target) => target.limit === Infinity);
});

let state = 7;
function numbers(shape: readonly number[]): NDArray {
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state / 2 ** 31 - 1;
  }
  return { dtype: 'float32', shape, data };
}

/** [batch, side, channels, multiplier, taps, stride, dilation, padding] */
const cases = [
  [2, 19, 16, 1, 3, 1, 1, 1],
  [1, 23, 37, 1, 3, 1, 1, 1],
  [3, 20, 17, 1, 3, 2, 1, 1],
  [2, 21, 40, 1, 2, 1, 2, 0],
  [40, 9, 33, 1, 3, 1, 1, 1],
  [2, 17, 8, 1, 5, 1, 1, 2],
  [2, 18, 12, 2, 3, 1, 1, 1],
];

describe('filter gradient of a depthwise convolution', () => {
  for (const [batch, side, channels, multiplier, taps, stride, dilation, pad] of cases) {
    it(`[${batch}, ${side}, ${side}, ${channels}], ${taps} taps, x${multiplier}, stride ${stride}, dilation ${dilation}`, () => {
      const extent = Math.floor((side + 2 * pad - dilation * (taps - 1) - 1) / stride) + 1;
      const arrays = [
        numbers([batch, side, side, channels]),
        numbers([batch, extent, extent, channels * multiplier]),
        numbers([taps, taps, 1, channels * multiplier]),
      ];
      const [x, dy, scale] = arrays.map(({ shape }) => parameter('float32', shape));
      const [gradient] = apply('convBackpropFilter', [x, dy], {
        strides: [stride, stride],
        dilations: [dilation, dilation],
        pads: [pad, pad, pad, pad],
        groups: channels,
        filterShape: [taps, taps, 1, channels * multiplier],
      });
      const outputs = [mul(gradient, scale)];
      const feeds = new Map([x, dy, scale].map((value, i) => [value, arrays[i]]));
      const [expected] = reference.run(outputs, feeds);
      for (const target of targets) {
        const found = difference(target.run(outputs, feeds)[0], expected, { absolute: 2e-4, relative: 1e-5 });
        expect(found, target.name).toBeNull();
      }
    });
  }
});

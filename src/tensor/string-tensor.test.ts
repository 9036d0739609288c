/** String tensors against TensorFlow.js, and what only we do: any movement, errors that name the op. */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { beforeAll, describe, expect, it } from 'vitest';
import * as api from './api/index.ts';
import { registerBackend, setBackend } from './backends.ts';
import * as base from './index.ts';
import { referenceBackend } from './reference-backend.ts';

/** Both libraries through one untyped door. */
type Library = any;
const ours: Library = { ...base, ...api };

const words = ['a', 'bb', 'ccc', 'd', 'e', 'ü€😀'];
const W = (tf: Library): any => tf.tensor(words, [2, 3]);
const cases: Record<string, (tf: Library) => any> = {
  'tensor of nested lists': (tf) =>
    tf.tensor([
      ['x', 'y'],
      ['z', ''],
    ]),
  scalar: (tf) => tf.scalar('hello'),
  tensor1d: (tf) => tf.tensor1d(words),
  empty: (tf) => tf.tensor([], [0, 3], 'string'),
  fill: (tf) => tf.fill([2, 2], 'x'),
  reshape: (tf) => W(tf).reshape([3, -1]),
  flatten: (tf) => W(tf).flatten(),
  expandDims: (tf) => W(tf).expandDims(1),
  squeeze: (tf) => W(tf).expandDims(1).squeeze(),
  concat: (tf) => tf.concat([W(tf), W(tf)], 1),
  'concat method': (tf) => W(tf).concat(W(tf)),
  stack: (tf) => tf.stack([W(tf), W(tf)]),
  slice: (tf) => W(tf).slice([0, 1], [2, 2]),
  stridedSlice: (tf) => tf.tensor1d(words).stridedSlice([5], [0], [-2]),
  tile: (tf) => W(tf).tile([2, 1]),
  clone: (tf) => W(tf).clone(),
  'tensor-like': (tf) => tf.reshape(['p', 'q'], [2, 1]),
  buffer: (tf) => {
    const buffer = tf.buffer([2, 2], 'string', ['', '', '', '']);
    buffer.set('here', 1, 0);
    return buffer.toTensor();
  },
  equal: (tf) => tf.equal(tf.tensor1d(['a', 'b']), tf.tensor1d(['a', 'c'])),
  notEqual: (tf) => tf.notEqual(tf.tensor1d(['a', 'b']), tf.tensor1d(['a', 'c'])),
};

beforeAll(async () => {
  registerBackend('reference', async () => referenceBackend());
  await setBackend('reference');
});

describe('string tensors are as in TensorFlow.js', () => {
  it.each(Object.entries(cases))('%s', async (_name, f) => {
    const [x, y] = [f(ours), f(tfjs)];
    expect([x.dtype, x.shape, x.size]).toEqual([y.dtype, y.shape, y.size]);
    expect([...x.dataSync()]).toEqual([...y.dataSync()]);
    expect(x.arraySync()).toEqual(y.arraySync());
    if (x.size > 0) expect(x.toString()).toBe(y.toString());
    if (x.dtype === 'string')
      expect(await x.bytes()).toEqual((await y.bytes()).map((b: Uint8Array) => Uint8Array.from(b)));
  });
});

describe('what TensorFlow.js lacks', () => {
  it.each<[string, (x: base.Tensor) => base.Tensor | base.Tensor[], unknown]>([
    [
      'transpose',
      (x) => x.transpose(),
      [
        ['a', 'd'],
        ['bb', 'e'],
        ['ccc', 'ü€😀'],
      ],
    ],
    [
      'reverse',
      (x) => x.reverse(1),
      [
        ['ccc', 'bb', 'a'],
        ['ü€😀', 'e', 'd'],
      ],
    ],
    ['split', (x) => x.split(3, 1)[2], [['ccc'], ['ü€😀']]],
    ['unstack', (x) => x.unstack()[1], ['d', 'e', 'ü€😀']],
    [
      'broadcastTo',
      (x) => x.slice([0, 0], [1, 3]).broadcastTo([2, 3]),
      [
        ['a', 'bb', 'ccc'],
        ['a', 'bb', 'ccc'],
      ],
    ],
    [
      'gather at pending indices',
      (x) => x.gather(api.range(0, 2, 1, 'int32').mul(api.scalar(2, 'int32')), 1),
      [
        ['a', 'ccc'],
        ['d', 'ü€😀'],
      ],
    ],
  ])('%s', (_name, f, wanted) => {
    expect((f(W(ours)) as base.Tensor).arraySync()).toEqual(wanted);
  });

  it('compares and broadcasts', () => {
    expect([...api.less(W(ours), ['b', 'c', 'd']).dataSync()]).toEqual([1, 1, 1, 0, 0, 0]);
  });
});

describe('as tensors', () => {
  it('are tidied, kept and disposed like others', () => {
    const before = base.memory().numTensors;
    const kept = base.tidy((): base.Tensor => W(ours).reshape([6]).slice([1], [2]));
    expect(base.memory().numTensors).toBe(before + 1);
    expect(kept.dataSync<'string'>()).toEqual(['bb', 'ccc']);
    kept.dispose();
    expect(base.memory().numTensors).toBe(before);
    expect(() => kept.dataSync()).toThrow(/disposed/);
  });

  it('keep bytes that are no UTF-8', async () => {
    const bytes = Uint8Array.of(0xff, 0x00, 0x41);
    const x = api.tensor([bytes], [1], 'string');
    expect(await x.bytes()).toEqual([bytes]);
    bytes[2] = 0;
    expect((await x.reshape([1, 1]).bytes())[0]).toEqual(Uint8Array.of(0xff, 0x00, 0x41));
  });

  it('move inside jit too, as constants', () => {
    const f = base.jit((x: base.Tensor) => x.add(W(ours).reshape([6]).size));
    expect(f(api.scalar(1)).dataSync()[0]).toBe(7);
  });
});

describe('errors name the op', () => {
  const x = W(ours) as base.Tensor;
  it.each<[string, () => unknown, RegExp]>([
    ['arithmetic', () => x.add(1), /\[add\] a must hold numbers or booleans; got strings of shape \[2,3\]/],
    ['tensor-likes', () => api.exp(['a']), /\[exp\] x must hold numbers/],
    ['mixed concat', () => api.concat([x, api.zeros([2, 3])]), /\[concat\] tensors\[0\] must hold numbers/],
    ['numbers as strings', () => api.tensor([1, 2], [2], 'string'), /element 0 is number/],
    ['strings as numbers', () => api.tensor(['a'], [1], 'float32'), /must be a number or a boolean.*"a"/],
    ['ragged', () => api.tensor([['a', 'b'], ['c']]), /must not be ragged/],
    ['complex', () => api.tensor([1], [1], 'complex64'), /tf.complex/],
    ['gradients', () => base.grad((y) => y)(x), /must hold numbers/],
    ['variables', () => base.variable(x), /a string tensor can only be moved/],
    ['jit', () => base.jit((y: base.Tensor) => y)(x), /a string tensor can only be moved/],
    ['bad indices', () => x.gather([7], 1), /7/],
  ])('%s', (_name, f, message) => {
    expect(f).toThrow(message);
  });
});

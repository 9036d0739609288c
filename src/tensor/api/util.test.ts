/** tf.util, tf.env, tf.engine, modes and helpers against TensorFlow.js. */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { registerBackend, setBackend } from '../backends.ts';
import * as tf from '../index.ts';
import { referenceBackend } from '../reference-backend.ts';

/** Both libraries through one untyped door. */
type Library = any;

beforeAll(async () => {
  registerBackend('reference', async () => referenceBackend());
  await setBackend('reference');
});

/** Longs as bigints, typed arrays as lists. */
function plain(x: unknown): unknown {
  if (x !== null && typeof x === 'object' && 'toBytesLE' in x) return BigInt.asUintN(64, BigInt(String(x)));
  if (ArrayBuffer.isView(x)) return [x.constructor.name, ...Array.from(x as Float32Array)];
  return Array.isArray(x) ? x.map(plain) : x;
}

describe('tf.util gives what TensorFlow.js gives', () => {
  const bytes = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 37 + n) & 255);
  it.each<[string, unknown[]]>([
    ...[0, 1, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 127, 128, 129, 192, 1000].map((n): [string, unknown[]] => [
      'fingerPrint64',
      [bytes(n)],
    ]),
    ['hexToLong', ['c3a5c85c97cb3127']],
    [
      'arraysEqual',
      [
        [1, 2],
        [1, 2],
      ],
    ],
    [
      'arraysEqual',
      [
        [1, 2],
        [1, 3],
      ],
    ],
    ['arraysEqual', [null, null]],
    [
      'arraysEqualWithNull',
      [
        [1, null],
        [1, 3],
      ],
    ],
    [
      'arraysEqualWithNull',
      [
        [1, null],
        [2, 3],
      ],
    ],
    ['bytesFromStringArray', [[bytes(3), bytes(5)]]],
    ['bytesPerElement', ['complex64']],
    ['bytesPerElement', ['bool']],
    ['clamp', [0, 7, 5]],
    ['computeStrides', [[2, 3, 4]]],
    ['computeStrides', [[5]]],
    ['createScalarValue', [3.7, 'int32']],
    ['createScalarValue', ['é', 'string']],
    ['decodeString', [Uint8Array.of(195, 169)]],
    [
      'distSquared',
      [
        [1, 2],
        [3, 5],
      ],
    ],
    ['encodeString', ['€']],
    ['flatten', [[[1, [2]], 3, [[4]]]]],
    ['flatten', [[[Float32Array.of(1, 2)], 3]]],
    ['getArrayFromDType', ['int32', 3]],
    ['getTypedArrayFromDType', ['bool', 2]],
    ['hasEncodingLoss', ['float32', 'int32']],
    ['hasEncodingLoss', ['bool', 'int32']],
    ['hasEncodingLoss', ['complex64', 'float32']],
    ['indexToLoc', [17, 3, [12, 4]]],
    ['indexToLoc', [3, 1, []]],
    ['inferDtype', [[[true]]]],
    ['inferDtype', [['a']]],
    ['inferDtype', [Int32Array.of(1)]],
    ['inferFromImplicitShape', [[2, -1], 6]],
    ['inferFromImplicitShape', [[2, 3], 6]],
    ['isInt', [2.5]],
    ['isScalarShape', [[]]],
    ['isString', ['x']],
    ['isTypedArray', [new Uint8Array(1)]],
    ['isTypedArray', [new Float64Array(1)]],
    ['isValidDtype', ['string']],
    ['isValidDtype', ['float128']],
    ['locToIndex', [[1, 1, 1], 3, [12, 4]]],
    ['locToIndex', [[4], 1, []]],
    ['makeOnesTypedArray', [3, 'int32']],
    ['makeZerosTypedArray', [3, 'bool']],
    ['nearestDivisor', [12, 5]],
    ['nearestLargerEven', [3]],
    ['parseAxisParam', [-1, [2, 3]]],
    ['parseAxisParam', [null, [2, 3]]],
    ['rightPad', ['ab', 4]],
    ['sizeFromShape', [[2, 3, 4]]],
    ['sizeFromShape', [[]]],
    ['sizeToSquarishShape', [10]],
    ['squeezeShape', [[1, 2, 1, 3]]],
    ['squeezeShape', [[1, 2, 1, 3], [2]]],
    ['sum', [[1, 2, 3]]],
    ['tanh', [0.5]],
    [
      'toNestedArray',
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
    ],
    ['toNestedArray', [[2, 1], [1, 2, 3, 4], true]],
    [
      'toTypedArray',
      [
        [
          [1.5, 2],
          [3, 4],
        ],
        'int32',
      ],
    ],
    ['toTypedArray', [[0.2, 0.7, -1], 'bool']],
    ['convertBackendValuesAndArrayBuffer', [Float32Array.of(1, 2).buffer, 'float32']],
  ])('%s %j', (name, args) => {
    const call = (library: Library) => library.util[name](...(structuredClone(args) as unknown[]));
    expect(plain(call(tf))).toEqual(plain(call(tfjs)));
  });

  it('shuffles in place', () => {
    const [a, b] = [Array.from({ length: 50 }, (_, i) => i), Array.from({ length: 50 }, (_, i) => -i)];
    tf.util.shuffleCombo(a, b);
    expect(a.every((x, i) => x === -b[i])).toBe(true);
    expect(a.toSorted((x, y) => x - y)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(a).not.toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect([...tf.util.createShuffledIndices(9)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('tries again', async () => {
    let left = 3;
    await tf.util.repeatedTry(() => --left === 0);
    await expect(
      tf.util.repeatedTry(
        () => false,
        () => 0,
        2,
      ),
    ).rejects.toBe(undefined);
  });

  it('throws', () => {
    expect(() => tf.util.assert(false, () => 'so it is')).toThrow('so it is');
    expect(() => tf.util.assertShapesMatch([1], [2], 'here:')).toThrow(/here: Shapes \[1\] and \[2\]/);
    expect(() => tf.util.checkConversionForErrors([1, NaN], 'float32')).toThrow(/NaN/);
    expect(() => tf.util.inferFromImplicitShape([-1, 4], 6)).toThrow(/divide 6/);
  });
});

describe('tf.env', () => {
  afterEach(() => tf.env().reset());

  it('has flags', () => {
    expect(tf.env().getBool('IS_NODE')).toBe(true);
    expect(tf.env().getBool('IS_BROWSER')).toBe(false);
    let seen: unknown;
    tf.env().registerFlag(
      'MINE',
      () => 3,
      (value) => (seen = value),
    );
    expect(tf.env().getNumber('MINE')).toBe(3);
    tf.env().set('MINE', 4);
    expect([tf.env().get('MINE'), seen, tf.env().getFlags().MINE]).toEqual([4, 4, 4]);
    expect(() => tf.env().get('NONE')).toThrow(/'NONE' is not/);
    expect(() => tf.env().set('NONE', 1)).toThrow(/registered/);
  });

  it('debug mode names the op that makes a NaN, on its line', () => {
    tf.enableDebugMode();
    expect(() => tf.tensor([1, -1]).log()).toThrow(/\[log\].*finite.*NaN/);
    expect(() => tf.tensor([1, 0]).reciprocal()).toThrow(/\[reciprocal\].*Infinity/);
    expect([...tf.tensor([1, 4]).sqrt().dataSync()]).toEqual([1, 2]);
    tf.env().set('DEBUG', false);
    expect(tf.tensor([-1]).log().dataSync()[0]).toBeNaN();
  });

  it('warns unless told not to', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    tf.deprecationWarn('old.');
    tf.disableDeprecationWarnings();
    tf.deprecationWarn('older.');
    expect(warn.mock.calls.length).toBe(1);
    warn.mockRestore();
  });
});

describe('tf.engine', () => {
  it('has scopes', () => {
    const before = tf.memory().numTensors;
    tf.engine().startScope();
    const x = tf.tensor([1, 2]).square();
    const kept = x.add(1);
    tf.engine().endScope(kept);
    expect(tf.engine().state.numTensors).toBe(before + 1);
    expect([...kept.dataSync()]).toEqual([2, 5]);
    kept.dispose();
    expect(() => tf.engine().endScope()).toThrow(/startScope/);
  });

  it('knows the variables', () => {
    const v = tf.variable(tf.scalar(3), true, 'of the engine');
    expect(tf.engine().registeredVariables['of the engine']).toBe(v);
    tf.disposeVariables();
    expect(v.isDisposed).toBe(true);
    expect(tf.engine().registeredVariables['of the engine']).toBeUndefined();
  });

  it('knows the backend', () => {
    expect(tf.engine().backendName).toBe('reference');
    expect(tf.findBackend('reference')).toBe(tf.backend());
    expect(tf.findBackend('none')).toBeNull();
    expect(typeof tf.findBackendFactory('reference')).toBe('function');
    registerBackend('wasm', async () => null);
    tf.removeBackend('wasm');
    expect(tf.findBackendFactory('wasm')).toBeUndefined();
    expect(() => tf.removeBackend('reference')).toThrow(/in use/);
  });
});

describe('the rest', () => {
  it('nextFrame resolves, print prints', async () => {
    await tf.nextFrame();
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    tf.print(tf.tensor([1, 2]));
    expect(log.mock.calls[0][0]).toBe('Tensor\n    [1, 2]');
    log.mockRestore();
  });

  it('dtypes of results', () => {
    expect([tf.upcastType('bool', 'int32'), tf.upcastType('float32', 'complex64'), tf.sumOutType('bool')]).toEqual([
      'int32',
      'complex64',
      'int32',
    ]);
    expect(() => tf.upcastType('string', 'int32')).toThrow(/strings/);
  });

  it('op names a function', () => {
    const double = tf.op({ double_: (x: tf.Tensor) => x.mul(2) });
    expect([double.name, double(tf.scalar(4)).dataSync()[0]]).toEqual(['double', 8]);
  });

  it('buffers', () => {
    const buffer = tf.buffer([2, 3], 'int32');
    buffer.set(5, 1, 2);
    expect([buffer.get(1, 2), buffer.locToIndex([1, 2]), buffer.indexToLoc(5), buffer.rank, buffer.size]).toEqual([
      5,
      5,
      [1, 2],
      2,
      6,
    ]);
    expect([...buffer.toTensor().dataSync()]).toEqual([0, 0, 0, 0, 0, 5]);
    expect(() => buffer.get(2, 0)).toThrow(/inside/);
    const scalar = tf.buffer([], 'float32');
    scalar.set(2, 0);
    expect(scalar.get()).toBe(2);
  });

  it('fields of tensors', () => {
    const x = tf.zeros([2, 3, 4]);
    expect([x.strides, x.rankType, x.rank, x.kept]).toEqual([[12, 4], 'R3', 3, false]);
    expect(x.dataId).toBe(x.clone().dataId);
    expect(x.dataId).not.toBe(tf.zeros([1]).dataId);
  });

  it('tensor_util, broadcast_util, test_util', () => {
    const [a, b] = tf.tensor_util.makeTypesMatch(tf.tensor([1], [1], 'int32'), tf.tensor([2.5]));
    expect([a.dtype, b.dtype]).toEqual(['float32', 'float32']);
    for (const name of ['getBroadcastDims', 'getReductionAxes', 'assertAndGetBroadcastShape'] as const) {
      for (const [x, y] of [
        [
          [1, 3],
          [2, 3],
        ],
        [[3], [2, 3]],
        [
          [2, 1, 1],
          [2, 4, 1],
        ],
      ]) {
        expect(tf.broadcast_util[name](x, y), name).toEqual(tfjs.broadcast_util[name](x, y));
      }
    }
    tf.test_util.expectArraysClose([1, 2.0001], [1, 2]);
    expect(() => tf.test_util.expectArraysClose([1, 2.1], [1, 2])).toThrow(/actual\[1\] = 2.1/);
    expect(() => tf.test_util.expectArraysEqual([1], [1, 2])).toThrow(/lengths/);
  });

  it('kernel names are their names', () => {
    expect([tf.Abs, tf.ZerosLike, tf.FusedConv2D]).toEqual(
      ['Abs', 'ZerosLike', '_FusedConv2D'].map((name) => (tfjs as Library)[name.replace('_', '')]),
    );
  });
});

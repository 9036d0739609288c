/**
 * Generated from what the package exports: every function that gives float32 for float32 tensors gives float64 for float64 ones, or
 * refuses by name; and what it gives agrees between backends and with what float32 gives. Arguments are found by trying: a few
 * shapes fit most functions, the others have theirs below. A function that no arguments fit must be on a list, with the reason.
 */
import { afterAll, describe, expect, it } from 'vitest';
import * as tf from '../src/index.ts';
import { backends } from './backends.ts';

type Arguments = (t: (shape: number[], seed?: number) => tf.Tensor) => unknown[];
type Function_ = (...args: unknown[]) => unknown;

const int = (values: number[]) => tf.tensor1d(values, 'int32');

/** What is tried for a function that has no arguments of its own. */
const common: readonly Arguments[] = [
  (t) => [t([3, 4])],
  (t) => [t([6])],
  (t) => [t([4, 4])],
  (t) => [t([2, 5, 5, 3])],
  (t) => [t([3, 4], 1), t([3, 4], 2)],
  (t) => [t([6], 1), t([6], 2)],
  (t) => [t([4, 4], 1), t([4, 4], 2)],
  (t) => [t([3, 4]), 1],
  (t) => [t([3, 4]), 0.25],
  (t) => [t([3, 4]), [1]],
  (t) => [t([3, 4]), [4, 3]],
  (t) => [t([3, 4]), [1, 0]],
  (t) => [t([3, 4]), 0.2, 0.7],
  (t) => [t([3, 4], 1), t([3, 4], 2), t([3, 4], 3)],
  (t) => [[t([3, 4], 1), t([3, 4], 2)]],
  (t) => [t([3, 4]), int([0, 2])],
  (t) => [t([3, 4]), [0, 1], [2, 2]],
  (t) => [t([2, 5, 5, 3]), [4, 4]],
  (t) => [t([2, 5, 5, 3]), 2, 1, 'same'],
  (t) => [t([2, 5, 5, 3], 1), t([2, 2, 3, 4], 2), 1, 'same'],
  (t) => [
    t([3, 4]),
    [
      [1, 1],
      [1, 1],
    ],
  ],
];

/** A matrix that is far from singular, with singular values apart. */
const regular: Arguments = (t) => [t([4, 4]).add(tf.diag(t([4], 5).mul(5)))];

/** Arguments of those that need others. */
const own: { readonly [name: string]: Arguments } = {
  where: (t) => [tf.tensor1d([true, false, true], 'bool'), t([3], 1), t([3], 2)],
  einsum: (t) => ['ij,jk->ik', t([3, 4], 1), t([4, 2], 2)],
  conv1d: (t) => [t([2, 7, 3]), t([2, 3, 4]), 1, 'same'],
  conv3d: (t) => [t([1, 4, 4, 4, 2]), t([2, 2, 2, 2, 3]), 1, 'same'],
  conv2dTranspose: (t) => [t([1, 4, 4, 2]), t([2, 2, 3, 2]), [1, 5, 5, 3], 1, 'valid'],
  conv3dTranspose: (t) => [t([1, 3, 3, 3, 2]), t([2, 2, 2, 3, 2]), [1, 4, 4, 4, 3], 1, 'valid'],
  separableConv2d: (t) => [t([1, 5, 5, 3]), t([2, 2, 3, 1]), t([1, 1, 3, 4]), 1, 'same'],
  dilation2d: (t) => [t([1, 5, 5, 3]), t([2, 2, 3]), 1, 'valid'],
  erosion2d: (t) => [t([1, 5, 5, 3]), t([2, 2, 3]), 1, 'valid'],
  batchNorm3d: (t) => [t([2, 3, 4]), t([4], 2), t([4], 3)],
  batchNorm4d: (t) => [t([2, 3, 3, 4]), t([4], 2), t([4], 3)],
  batchToSpaceND: (t) => [
    t([4, 2, 2, 1]),
    [2, 2],
    [
      [0, 0],
      [0, 0],
    ],
  ],
  spaceToBatchND: (t) => [
    t([1, 4, 4, 1]),
    [2, 2],
    [
      [0, 0],
      [0, 0],
    ],
  ],
  depthToSpace: (t) => [t([1, 2, 2, 4]), 2, 'NHWC'],
  spaceToDepth: (t) => [t([1, 4, 4, 1]), 2],
  broadcastTo: (t) => [t([1, 4]), [3, 4]],
  mirrorPad: (t) => [
    t([3, 4]),
    [
      [1, 1],
      [1, 1],
    ],
    'reflect',
  ],
  pad1d: (t) => [t([4]), [1, 2]],
  pad3d: (t) => [
    t([2, 2, 2]),
    [
      [1, 0],
      [0, 1],
      [1, 1],
    ],
  ],
  pad4d: (t) => [
    t([1, 2, 2, 2]),
    [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ],
  ],
  polygamma: (t) => [2, t([3, 4])],
  zeta: (t) => [tf.add(t([3, 4]), 2), t([3, 4], 2)],
  reverse3d: (t) => [t([2, 3, 2]), [0]],
  slice3d: (t) => [t([2, 3, 2]), [0, 1, 0], [1, 2, 2]],
  takeAlongAxis: (t) => [t([3, 4]), tf.zeros([3, 4], 'int32'), 1],
  putAlongAxis: (t) => [t([3, 4], 1), tf.zeros([3, 1], 'int32'), t([3, 1], 2), 1],
  scatterND: (t) => [tf.tensor2d([[1], [3]], [2, 1], 'int32'), t([2]), [5]],
  tensorScatterUpdate: (t) => [t([5], 1), tf.tensor2d([[1], [3]], [2, 1], 'int32'), t([2], 2)],
  tensorScatterAdd: (t) => [t([5], 1), tf.tensor2d([[1], [3]], [2, 1], 'int32'), t([2], 2)],
  tensorScatterMax: (t) => [t([5], 1), tf.tensor2d([[1], [3]], [2, 1], 'int32'), t([2], 2)],
  maxPoolGrad: (t) => [t([1, 2, 2, 3], 1), t([1, 4, 4, 3], 2), t([1, 2, 2, 3], 3), 2, 2, 'valid'],
  avgPoolGrad: (t) => [t([1, 2, 2, 3], 1), t([1, 4, 4, 3], 2), 2, 2, 'valid'],
  movingAverage: (t) => [tf.variable(t([3], 1)), t([3], 2), 0.9, 3],
  cumsum: (t) => [t([3, 4]), 1],
  'linalg.cholesky': (t) => [tf.matMul(t([4, 4]), t([4, 4]), false, true).add(tf.eye(4))],
  batchNorm: (t) => [t([3, 4], 1), t([4], 2), t([4], 3)],
  batchNorm2d: (t) => [t([3, 4], 1), t([4], 2), t([4], 3)],
  'linalg.inv': regular,
  'linalg.slogdet': regular,
  'linalg.lu': regular,
  'linalg.qr': regular,
  'linalg.svd': regular,
  'linalg.eigh': (t) => [t([4, 4]).add(tf.diag(t([4], 5).mul(9)))],
  'linalg.logdet': (t) => [tf.matMul(t([4, 4]), t([4, 4]), false, true).add(tf.eye(4))],
  'linalg.matrixPower': (t) => [t([4, 4]), 3],
  'linalg.solve': (t) => [t([4, 4]).add(tf.eye(4)), t([4, 2], 2)],
  'image.adjustBrightness': (t) => [t([1, 4, 4, 3]), 0.2],
  'image.adjustContrast': (t) => [t([1, 4, 4, 3]), 1.5],
  'image.adjustHue': (t) => [t([1, 4, 4, 3]), 0.1],
  'image.cropAndResize': (t) => [t([1, 5, 5, 2]), tf.tensor2d([[0, 0, 0.7, 0.8]]), int([0]), [3, 3]],
  'image.transform': (t) => [t([1, 5, 5, 2]), tf.tensor2d([[1, 0.1, 0, 0, 0.9, 0, 0, 0]])],
  'image.extractPatches': (t) => [t([1, 5, 5, 2]), [2, 2], [1, 1]],
  'image.grayscaleToRGB': (t) => [t([5, 5, 1])],
  'image.psnr': (t) => [t([1, 6, 6, 1], 1), t([1, 6, 6, 1], 2), 1],
  'image.ssim': (t) => [t([1, 12, 12, 1], 1), t([1, 12, 12, 1], 2), 1],
  conv1dTranspose: (t) => [t([1, 4, 2]), t([2, 3, 2]), [1, 5, 3], 1, 'valid'],
  conv2DBackpropInput: (t) => [[1, 5, 5, 2], t([1, 4, 4, 3]), t([2, 2, 2, 3], 2), 1, 'valid'],
  conv2DBackpropFilter: (t) => [t([1, 5, 5, 2]), t([1, 4, 4, 3], 2), [2, 2, 2, 3], 1, 'valid'],
  conv3DBackpropInput: (t) => [[1, 4, 4, 4, 2], t([1, 3, 3, 3, 3]), t([2, 2, 2, 2, 3], 2), 1, 'valid'],
  conv3DBackpropFilter: (t) => [t([1, 4, 4, 4, 2]), t([1, 3, 3, 3, 3], 2), [2, 2, 2, 2, 3], 1, 'valid'],
  depthwiseConv2dNativeBackpropInput: (t) => [[1, 5, 5, 2], t([1, 4, 4, 4]), t([2, 2, 2, 2], 2), 1, 'valid'],
  depthwiseConv2dNativeBackpropFilter: (t) => [t([1, 5, 5, 2]), t([1, 4, 4, 4], 2), [2, 2, 2, 2], 1, 'valid'],
  pool: (t) => [t([1, 5, 5, 2]), 2, 'avg', 'valid'],
  maxPool3dGrad: (t) => [t([1, 2, 2, 2, 2]), t([1, 4, 4, 4, 2], 2), t([1, 2, 2, 2, 2], 3), 2, 2, 'valid'],
  avgPool3dGrad: (t) => [t([1, 2, 2, 2, 2]), t([1, 4, 4, 4, 2], 2), 2, 2, 'valid'],
  tensorScatterSub: (t) => [t([5], 1), tf.tensor2d([[1], [3]], [2, 1], 'int32'), t([2], 2)],
  tensorScatterMin: (t) => [t([5], 1), tf.tensor2d([[1], [3]], [2, 1], 'int32'), t([2], 2)],
  tensorScatterMul: (t) => [t([5], 1), tf.tensor2d([[1], [3]], [2, 1], 'int32'), t([2], 2)],
  sparseToDense: (t) => [int([1, 3]), t([2]), [5]],
  dynamicUpdateSlice: (t) => [t([5]), t([2], 2), int([1])],
  localResponseNormalizationBackprop: (t) => [t([1, 2, 2, 6], 1), t([1, 2, 2, 6], 2), t([1, 2, 2, 6], 3), 2],
  basicLSTMCell: (t) => [t([]), t([5, 8]), t([8], 2), t([2, 3], 3), t([2, 2], 4), t([2, 2], 5)],
  'image.ssimMultiscale': (t) => [t([1, 24, 24, 1], 1), t([1, 24, 24, 1], 2), 1, [0.4, 0.6], { filterSize: 5 }],
  'image.sampleAt': (t) => [t([1, 5, 5, 2]), t([1, 2, 2], 2), t([1, 2, 2], 3)],
  'signal.melSpectrogram': (t) => [t([64]), 16, 8, 100, 6],
  'losses.cosineDistance': (t) => [t([3, 4], 1), t([3, 4], 2), 1],
};

const COMPLEX = 'complex numbers on the way, and there is no complex128';

/** Refuse float64 by name, with the reason. */
const refused: { readonly [name: string]: string } = {
  igamma: 'its series have float32 accuracy',
  igammac: 'its series have float32 accuracy',
  betainc: 'its series have float32 accuracy',
  'signal.hfft': COMPLEX,
  'signal.fftConvolve': COMPLEX,
  'signal.melSpectrogram': COMPLEX,
};

/** Chance, time, numbers that are no tensors, and what is deprecated or speaks of devices and files. */
const others =
  /^(rand|.*[Rr]andom|multinomial|dropout|range|linspace|time|profile|deprecat|print|dispose|.*Backend|toPixels|draw|save|load|.*Async$|evaluateAll|engine|env|checkpoint|custom|grad|jit|vmap|jvp|vjp|hvp|jacobian|hessian|linearize|keep|memory|ready|eagerly|enable|disable|register|unregister|deregister|copyRegistered|getKernel|runKernel|tidy|set|restore|wrap|untracked|value|variable|measure|placeholder)/;

/** What the arguments above do not reach, by reason: a function that is neither here nor reached fails. */
const outside: { readonly [reason: string]: string } = {
  'make values of their own':
    'buffer makeTensor scalarValue tensor scalar tensor1d tensor2d tensor3d tensor4d tensor5d tensor6d ' +
    'fill zeros ones eye oneHot truncatedNormal cosineWindow signal.fftFreq signal.rfftFreq ' +
    'signal.bartlettWindow signal.blackmanWindow signal.hammingWindow signal.hannWindow ' +
    'signal.kaiserWindow signal.vorbisWindow signal.inverseStftWindowFn signal.linearToMelWeightMatrix ' +
    'signal.melFilterbank image.affineTransform',
  'give integers, places or truth values':
    'floorDiv bitwiseAnd bitwiseOr bitwiseXor bitwiseNot leftShift rightShift rightShiftLogical nonzero ' +
    'confusionMatrix equal notEqual less lessEqual greater greaterEqual logicalAnd logicalOr logicalXor ' +
    'logicalNot isFinite isInf isNaN all any argMax argMin argsort searchSorted lowerBound upperBound ' +
    'inTopK histogramFixedWidth bincount denseBincount broadcastArgs linalg.matrixRank ' +
    'image.nonMaxSuppression image.nonMaxSuppressionWithScore image.nonMaxSuppressionPadded ' +
    'image.threshold enclosingPowerOfTwo',
  'take or give complex numbers, and there is no complex128':
    'complex fft ifft rfft signal.fft signal.fft2d signal.fft3d signal.fftn signal.ifft signal.ifft2d ' +
    'signal.ifft3d signal.ifftn signal.ihfft signal.rfft signal.rfft2d signal.rfft3d signal.rfftn ' +
    'signal.stft signal.inverseStft linalg.eig linalg.eigvals',
  'name the dtype they give': 'cast bitcast toCategorical upcastType sumOutType',
  'run what they are given': 'scan forLoop map whileLoop cond multiRNNCell op inferOutputs',
  'texts, ragged and sparse tensors, with integers beside':
    'toStrings decodeText encodeText makeStrings stringNGrams stringSplit stringToHashBucketFast ' +
    'staticRegexReplace raggedGather raggedRange raggedTensorToTensor sparseFillEmptyRows sparseReshape',
  'models and the library itself':
    'getGradient getRegisteredOp isTracing backend nextFrame ensureShape modelFromTopology gan input ' +
    'model plotModel installModelSaver sequential',
  'labels of other shapes; src/nn/sequence_losses.test.ts and losses.test.ts have them':
    'losses.ctc losses.circle losses.sparseCategoricalCrossentropy ' + 'losses.categoricalGeneralizedCrossEntropy',
};
const unreached = new Set(Object.values(outside).flatMap((names) => names.split(' ')));

const rooms: readonly (readonly [string, object])[] = [
  ['', tf],
  ['linalg.', tf.linalg],
  ['image.', tf.image],
  ['signal.', tf.signal],
  ['losses.', tf.losses],
];

/** What makes a loss for compile stands for the loss that it makes. */
function computing(f: Function_): Function_ {
  try {
    const made = f();
    const { call } = made as { call?: Function_ };
    return typeof made === 'object' && call ? call : f;
  } catch {
    return f;
  }
}

const functions = rooms.flatMap(([room, all]) =>
  Object.entries(all).flatMap(([name, f]) =>
    typeof f === 'function' && !/^[A-Z]/.test(name) && !others.test(name)
      ? [[room + name, room === 'losses.' ? computing(f as Function_) : (f as Function_)] as const]
      : [],
  ),
);

function tensorsOf(result: unknown): tf.Tensor[] {
  if (result instanceof tf.Tensor) return [result];
  if (Array.isArray(result)) return result.flatMap(tensorsOf);
  return result && typeof result === 'object' && Object.getPrototypeOf(result) === Object.prototype
    ? Object.values(result).flatMap(tensorsOf)
    : [];
}

/** Numbers between 0.1 and 0.9, the same for both dtypes. */
const maker =
  (dtype: 'float32' | 'float64') =>
  (shape: number[], seed = 1) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Array.from({ length: size }, (_, i) => Math.fround(0.5 + 0.4 * Math.sin(seed + 1.3 * i)));
    return tf.tensor(data, shape, dtype);
  };

/** The first arguments that a function takes and makes float32 of. */
function fitting(name: string, f: Function_): Arguments | null {
  for (const make of own[name] ? [own[name]] : common) {
    try {
      const result = f(...make(maker('float32')));
      // What comes later is read from somewhere.
      if (result instanceof Promise) void result.catch(() => null);
      if (tensorsOf(result).some(({ dtype }) => dtype === 'float32')) return make;
    } catch {
      // These do not fit.
    }
  }
  return null;
}

function read(tensors: readonly tf.Tensor[]): ArrayLike<number>[] {
  tf.evaluateAll(tensors);
  return tensors.map((tensor) => tensor.dataSync() as ArrayLike<number>);
}

let checked = 0;
afterAll(() => console.log(`float64: ${checked} of ${functions.length} exported functions give or refuse it`));

async function values(backend: string, f: Function_, make: Arguments): Promise<ArrayLike<number>[]> {
  await tf.setBackend(backend);
  return read(tensorsOf(f(...make(maker('float64')))));
}

describe('every exported function', () => {
  it.each(functions)('%s', async (name, f) => {
    await tf.setBackend('reference');
    const make = fitting(name, f);
    expect(make === null, make ? 'is reached: take it off the list' : 'give it arguments').toBe(unreached.has(name));
    if (make === null) return;
    checked++;
    if (name in refused) {
      expect(() => f(...make(maker('float64')))).toThrow(/^\[.*float64/);
      return;
    }
    const narrow = tensorsOf(f(...make(maker('float32'))));
    const rough = read(narrow);
    const wide = tensorsOf(f(...make(maker('float64'))));
    narrow.forEach((tensor, i) => {
      expect(wide[i].dtype, `output ${i}`).toBe(tensor.dtype === 'float32' ? 'float64' : tensor.dtype);
    });
    const known = read(wide);
    known.forEach((list, i) => {
      if (wide[i].dtype !== 'float64') return;
      const scale = Math.max(1, ...Array.from(list, Math.abs).filter((x) => x < 1e30));
      for (let k = 0; k < list.length; k++) {
        // What is no number, and the greatest numbers of either dtype, which stand for nothing at all.
        if (!(Math.abs(list[k]) < 1e30)) continue;
        expect(Math.abs(list[k] - rough[i][k]) / scale, `output ${i} beside float32`).toBeLessThan(2e-3);
      }
    });
    for (const backend of backends.filter((each) => each !== 'reference')) {
      const found = await values(backend, f, make);
      found.forEach((list, i) => {
        if (wide[i].dtype !== 'float64') return expect(Array.from(list)).toEqual(Array.from(known[i]));
        const scale = Math.max(1, ...Array.from(known[i], Math.abs).filter((x) => x < 1e30));
        for (let k = 0; k < list.length; k++) {
          if (Object.is(list[k], known[i][k]) || list[k] === known[i][k]) continue;
          expect(Math.abs(list[k] - known[i][k]) / scale, `${backend}, output ${i}[${k}]`).toBeLessThan(1e-12);
        }
      });
    }
  });

  it('is exported, if it stands on a list', () => {
    const exported = functions.map(([name]) => name);
    expect(
      [...unreached, ...Object.keys(own), ...Object.keys(refused)].filter((name) => !exported.includes(name)),
    ).toEqual([]);
  });
});

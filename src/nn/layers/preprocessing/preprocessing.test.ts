import { describe, expect, test } from 'vitest';
import { data, layers, setSeed, type Tensor, tensor, type TensorLike, tensor1d, tidy } from '../../../index.ts';
import { sipHash } from '../../../base/siphash.ts';

const flat = (x: Tensor) => [...x.dataSync()];
const close = (got: ArrayLike<number>, want: ArrayLike<number>, digits = 5) => {
  expect(got.length).toBe(want.length);
  Array.from(want).forEach((value, i) => expect(got[i]).toBeCloseTo(value, digits));
};

describe('numbers', () => {
  test('normalization: mean and variance over batches, in double precision; given ones; invert', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => [i / 7, 1000 + Math.sin(i), i % 2]);
    const whole = layers.normalization();
    await whole.adapt(tensor(rows));
    const parts = layers.normalization();
    await parts.adapt(data.array(rows.map((xs) => ({ xs, ys: 1 }))).batch(7));
    const means = [0, 1, 2].map((k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);
    const variances = [0, 1, 2].map((k) => rows.reduce((sum, row) => sum + (row[k] - means[k]) ** 2, 0) / rows.length);
    for (const layer of [whole, parts]) {
      close(layer.adaptedMean!.val.dataSync(), means, 3);
      close(layer.adaptedVariance!.val.dataSync(), variances);
      expect(layer.getWeights()[2].dataSync()[0]).toBe(60);
    }
    const x = tensor([[1, 1000, 0]]);
    close(
      flat(whole.apply(x)),
      [0, 1, 2].map((k) => ([1, 1000, 0][k] - means[k]) / Math.sqrt(variances[k])),
      3,
    );
    const back = layers.normalization({ mean: [1, 2, 3], variance: [4, 4, 9], invert: true });
    close(flat(back.apply(tensor([[1, 1, 2]]))), [3, 4, 9]);
    const all = layers.normalization({ axis: null });
    await all.adapt(tensor([1, 2, 3, 6]));
    close(flat(all.adaptedMean!.val), [3]);
    close(flat(all.adaptedVariance!.val), [3.5]);
    expect(() => layers.normalization({ mean: 1 })).toThrow('both, or none');
    expect(() =>
      layers
        .normalization()
        .apply(tensor([[1]]))
        .dataSync(),
    ).not.toThrow();
    await expect(layers.normalization({ mean: 0, variance: 1 }).adapt([1])).rejects.toThrow('it was given one');
  });

  test('discretization: bins, and boundaries as Keras finds them', async () => {
    const layer = layers.discretization({ binBoundaries: [0, 1, 2] });
    expect(
      flat(
        layer.apply(
          tensor([
            [-1.5, 1, 3.4, 0.5],
            [0, 3, 1.3, 0],
          ]),
        ),
      ),
    ).toEqual([0, 2, 3, 1, 1, 3, 2, 1]);
    // The numbers are those of keras.layers.Discretization 3.15 (its numpy code).
    const found = layers.discretization({ numBins: 4, epsilon: 0.01 });
    await found.adapt(
      tensor([
        [-1.5, 1, 3.4, 0.5],
        [0, 3, 1.3, 0],
      ]),
    );
    expect(
      flat(
        found.apply(
          tensor([
            [-1.5, 1, 3.4, 0.5],
            [0, 3, 1.3, 0],
          ]),
        ),
      ),
    ).toEqual([0, 2, 3, 2, 1, 3, 3, 1]);
    const many = layers.discretization({ numBins: 10 });
    await many.adapt(tensor(Array.from({ length: 1000 }, (_, i) => ((i * 389) % 1000) / 1000)));
    many.binBoundaries!.forEach((b, i) => expect(Math.abs(b - (i + 1) / 10)).toBeLessThan(0.02));
    expect(() => layers.discretization({})).toThrow('got neither');
    expect(() => layers.discretization({ binBoundaries: [2, 1] })).toThrow('must rise');
    expect(() => layers.discretization({ numBins: 3 }).apply(tensor([1]))).toThrow('call adapt(data)');
  });

  test('categoryEncoding', () => {
    const encode = (outputMode: string, x: TensorLike, options = {}) =>
      layers.categoryEncoding({ numTokens: 4, outputMode }).apply(tensor(x), options).arraySync();
    expect(encode('oneHot', [3, 2, 0, 1])).toEqual([
      [0, 0, 0, 1],
      [0, 0, 1, 0],
      [1, 0, 0, 0],
      [0, 1, 0, 0],
    ]);
    expect(encode('one_hot', [[3], [0]])).toEqual([
      [0, 0, 0, 1],
      [1, 0, 0, 0],
    ]);
    expect(
      encode('multiHot', [
        [0, 1],
        [0, 0],
        [1, 2],
        [3, 1],
      ]),
    ).toEqual([
      [1, 1, 0, 0],
      [1, 0, 0, 0],
      [0, 1, 1, 0],
      [0, 1, 0, 1],
    ]);
    const countWeights = tensor([
      [0.1, 0.2],
      [0.1, 0.1],
      [0.2, 0.3],
      [0.4, 0.2],
    ]);
    close(
      (
        encode(
          'count',
          [
            [0, 1],
            [0, 0],
            [1, 2],
            [3, 1],
          ],
          { countWeights },
        ) as number[][]
      ).flat(),
      [0.1, 0.2, 0, 0, 0.2, 0, 0, 0, 0, 0.2, 0.3, 0, 0, 0.2, 0, 0.4],
    );
    expect(() => layers.categoryEncoding({ numTokens: 4, outputMode: 'mult' })).toThrow('did you mean multiHot');
  });
});

describe('hashes, as TensorFlow has them', () => {
  test('SipHash-2-4: the vector of the paper', () => {
    const [k0, k1] = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n];
    expect(
      sipHash(
        Uint8Array.from({ length: 15 }, (_, i) => i),
        k0,
        k1,
      ),
    ).toBe(0xa129ca6149be45e5n);
  });
  const letters = tensor([['A'], ['B'], ['C'], ['D'], ['E']]);
  test('hashing', () => {
    expect(flat(layers.hashing({ numBins: 3 }).apply(letters))).toEqual([1, 0, 1, 1, 2]);
    expect(flat(layers.hashing({ numBins: 3, salt: [133, 137] }).apply(letters))).toEqual([1, 2, 1, 0, 2]);
    expect(flat(layers.hashing({ numBins: 3, salt: 133 }).apply(letters))).toEqual([0, 0, 2, 1, 0]);
    const masked = layers.hashing({ numBins: 3, maskValue: '' });
    expect(flat(masked.apply(tensor([['A'], ['B'], [''], ['C'], ['D']])))).toEqual([1, 1, 0, 2, 2]);
    const names = tensor(['omar', 'stringer', 'marlo', 'wire', 'skywalker']);
    expect(flat(layers.hashing({ numBins: 2 }).apply(names))).toEqual([0, 0, 1, 0, 0]);
  });
  test('hashedCrossing', () => {
    const features = [tensor(['A', 'B', 'A', 'B', 'A']), tensor1d([101, 101, 101, 102, 102], 'int32')];
    expect(flat(layers.hashedCrossing({ numBins: 5 }).apply(features))).toEqual([1, 4, 1, 1, 3]);
    expect(layers.hashedCrossing({ numBins: 5, outputMode: 'oneHot' }).apply(features).shape).toEqual([5, 5]);
    expect(() => layers.hashedCrossing({ numBins: 5 }).apply(features.slice(1))).toThrow('two features');
  });
});

describe('lookups: the examples of Keras', () => {
  const vocabulary = ['a', 'b', 'c', 'd'];
  test('strings', async () => {
    const look = (args: object, x: TensorLike) =>
      layers
        .stringLookup({ vocabulary, ...args })
        .apply(tensor(x))
        .arraySync();
    expect(
      look({}, [
        ['a', 'c', 'd'],
        ['d', 'z', 'b'],
      ]),
    ).toEqual([
      [1, 3, 4],
      [4, 0, 2],
    ]);
    expect(look({ maskToken: '' }, [['a', '', 'z']])).toEqual([[2, 0, 1]]);
    expect(
      look({ numOovIndices: 2 }, [
        ['a', 'c', 'd'],
        ['m', 'z', 'b'],
      ]),
    ).toEqual([
      [2, 4, 5],
      [0, 1, 3],
    ]);
    expect(look({ outputMode: 'oneHot' }, ['a', 'z'])).toEqual([
      [0, 1, 0, 0, 0],
      [1, 0, 0, 0, 0],
    ]);
    const rows = [
      ['a', 'c', 'd', 'd'],
      ['d', 'z', 'b', 'z'],
    ];
    expect(look({ outputMode: 'multi_hot' }, rows)).toEqual([
      [0, 1, 0, 1, 1],
      [1, 0, 1, 0, 1],
    ]);
    expect(look({ outputMode: 'count', maxTokens: 7, padToMaxTokens: true }, rows)).toEqual([
      [0, 1, 0, 1, 2, 0, 0],
      [2, 0, 1, 0, 1, 0, 0],
    ]);
    const tfIdf = layers.stringLookup({ outputMode: 'tf_idf' });
    tfIdf.setVocabulary(vocabulary, [0.25, 0.75, 0.6, 0.4]);
    close(flat(tfIdf.apply(tensor(rows))), [0, 0.25, 0, 0.6, 0.8, 1, 0, 0.75, 0, 0.4]);
    const names = layers.stringLookup({ vocabulary, invert: true }).apply(
      tensor(
        [
          [1, 3, 4],
          [4, 0, 2],
        ],
        [2, 3],
        'int32',
      ),
    );
    expect(names.arraySync()).toEqual([
      ['a', 'c', 'd'],
      ['d', '[UNK]', 'b'],
    ]);
    const adapted = layers.stringLookup();
    await adapted.adapt([
      ['a', 'c', 'd'],
      ['d', 'z', 'b'],
    ]);
    expect(adapted.getVocabulary()).toEqual(['[UNK]', 'd', 'z', 'c', 'b', 'a']);
    const idf = layers.stringLookup({ outputMode: 'tfIdf', maxTokens: 4 });
    await idf.adapt(
      data
        .array(['x', 'y', 'x', 'z'])
        .map((text) => text)
        .batch(1)
        .map((x) => x),
    );
    expect(idf.getVocabulary()).toEqual(['[UNK]', 'x', 'z', 'y']);
    const [log2, log3] = [Math.log(1 + 4 / 2), Math.log(1 + 4 / 3)];
    close(flat(idf.apply(tensor([['x', 'y', 'q', 'q']]))), [(2 * (2 * log2 + log3)) / 3, log3, 0, log2]);
  });
  test('integers, inside of a program', async () => {
    const look = (args: object, x: number[]) =>
      flat(layers.integerLookup({ vocabulary: [12, 36, 1138, 42], ...args }).apply(tensor(x, [x.length], 'int32')));
    expect(look({}, [12, 1138, 42, 1000, 36])).toEqual([1, 3, 4, 0, 2]);
    expect(look({ numOovIndices: 2 }, [12, 37, 1000, -3])).toEqual([2, 1, 0, 1]);
    expect(look({ maskToken: 0 }, [0, 42, 7])).toEqual([0, 5, 1]);
    expect(look({ invert: true }, [1, 3, 4, 0, 2, 99, -5])).toEqual([12, 1138, 42, -1, 36, -1, -1]);
    expect(() => look({ numOovIndices: 0 }, [12, 5])).toThrow('got -1');
    const adapted = layers.integerLookup();
    await adapted.adapt(
      tensor(
        [
          [12, 1138, 42],
          [42, 1000, 36],
        ],
        [2, 3],
        'int32',
      ),
    );
    expect(adapted.getVocabulary()).toEqual([-1, 42, 1138, 1000, 36, 12]);
  });
  test('mistakes', async () => {
    expect(() => layers.stringLookup({ vocabulary: ['a', 'a'] })).toThrow('each token once; got a again');
    expect(() => layers.stringLookup({ vocabulary, maxTokens: 3 })).toThrow('raise maxTokens');
    expect(() => layers.stringLookup({ vocabulary, outputMode: 'tfIdf' })).toThrow('tfIdf needs idfWeights');
    expect(() => layers.stringLookup({ outputMode: 'count' }).apply(tensor(['a']))).toThrow('call adapt(data)');
    expect(() => layers.stringLookup({ vocabulary, numOovIndices: 0 }).apply(tensor(['z']))).toThrow('got "z"');
    await expect(layers.stringLookup({ vocabulary }).adapt(['x'])).rejects.toThrow('it was given one');
  });
});

describe('textVectorization', () => {
  test('the examples of Keras', async () => {
    const layer = layers.textVectorization({ maxTokens: 5000, outputSequenceLength: 4 });
    await layer.adapt(['foo bar', 'bar baz', 'baz bada boom']);
    expect(layer.apply(tensor([['foo qux bar'], ['qux baz']])).arraySync()).toEqual([
      [4, 1, 3, 0],
      [1, 2, 0, 0],
    ]);
    const given = layers.textVectorization({ vocabulary: ['earth', 'wind', 'and', 'fire'] });
    expect(given.getVocabulary()).toEqual(['', '[UNK]', 'earth', 'wind', 'and', 'fire']);
    expect(given.apply(tensor(['Earth, wind & fire!', ''])).arraySync()).toEqual([
      [2, 3, 5],
      [0, 0, 0],
    ]);
  });
  test('n-grams, characters, modes, functions', async () => {
    const grams = layers.textVectorization({ ngrams: 2, split: 'whitespace' });
    expect(grams.tokensOf('A b c.')).toEqual(['a', 'b', 'c', 'a b', 'b c']);
    expect(layers.textVectorization({ ngrams: [2], standardize: null }).tokensOf('A b c.')).toEqual(['A b', 'b c.']);
    expect(layers.textVectorization({ split: 'character' }).tokensOf('ÄBü😀')).toEqual(['Ä', 'b', 'ü', '😀']);
    const own = layers.textVectorization({ split: (text) => text.split('-'), standardize: (text) => text.trim() });
    expect(own.tokensOf(' a-b ')).toEqual(['a', 'b']);
    expect(() => own.getConfig()).toThrow('standardize must be a name');
    const count = layers.textVectorization({ outputMode: 'count', vocabulary: ['x', 'y'] });
    expect(count.apply(tensor(['x y x q', 'y'])).arraySync()).toEqual([
      [1, 2, 1],
      [0, 0, 1],
    ]);
    const vectors = data
      .array(['x y', 'y'])
      .batch(2)
      .map((texts) => count.apply(texts as Tensor));
    const [batch] = (await vectors.toArray()) as Tensor[];
    expect(batch.arraySync()).toEqual([
      [0, 1, 1],
      [0, 0, 1],
    ]);
    batch.dispose();
    expect(() => layers.textVectorization({ standardize: 'lowr' })).toThrow('did you mean lower');
    expect(() => count.apply(tensor([1]))).toThrow('texts must be strings');
  });
});

describe('sound', () => {
  test('melSpectrogram of a tone: its band is the loudest', () => {
    const rate = 8000;
    const tone = tensor(
      Float32Array.from({ length: 2048 }, (_, i) => Math.sin((2 * Math.PI * 1000 * i) / rate)),
      [1, 2048],
    );
    const layer = layers.melSpectrogram({ fftLength: 512, sequenceStride: 256, samplingRate: rate, numMelBins: 40 });
    const out = layer.apply(tone);
    expect(out.shape).toEqual([1, 40, 9]);
    const mel = (f: number) => 1127 * Math.log1p(f / 700);
    const band = Math.round(((mel(1000) - mel(20)) / (mel(4000) - mel(20))) * 41 - 1);
    const middle = out.slice([0, 0, 4], [1, 40, 1]).reshape([40]);
    expect(Math.abs(middle.argMax().dataSync()[0] - band)).toBeLessThanOrEqual(1);
    expect(out.max().sub(out.min()).dataSync()[0]).toBeLessThanOrEqual(80.001);
  });
  test('stftSpectrogram: the squares add up to those of the windowed signal (Parseval)', () => {
    const signal = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * i));
    const layer = layers.stftSpectrogram({
      mode: 'psd',
      frameLength: 64,
      frameStep: 64,
      window: 'boxcar',
      scaling: null,
    });
    const power = layer
      .apply(tensor(signal, [1, 64, 1]))
      .sum()
      .dataSync()[0];
    const squares = signal.reduce((sum, x) => sum + x * x, 0);
    expect(power / 64 / squares).toBeCloseTo(1, 4);
  });
});

test('nothing leaks, and a seed repeats', () => {
  setSeed(5);
  const images = tensor(
    Float32Array.from({ length: 192 }, (_, i) => i),
    [1, 8, 8, 3],
  );
  const run = () => {
    const layer = layers.randomRotation({ factor: 0.5, seed: 7 });
    const [a, b] = [0, 1].map(() => tidy(() => flat(layer.apply(images, { training: true }))));
    layer.dispose();
    return [a, b];
  };
  const [first, second] = [run(), run()];
  expect(second).toEqual(first);
  expect(first[0]).not.toEqual(first[1]);
});

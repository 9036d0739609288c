/** A spelling read in both directions, and said sound by sound with a look back at it (Bahdanau et al. 2015). */
import * as tf from 'tensorloom';
import { Dictionary, distance, edge, longest } from './lib/dictionary.js';
import { heatmapsSvg } from './lib/heatmap.js';
import { example } from './lib/options.js';

export default example({
  about: 'GRUs with additive attention on the CMU dictionary: below 12 % of sounds wrong in words never seen',
  options: {
    words: { value: 123_000, quick: 1300, about: 'words at most' },
    held: { value: 5000, quick: 100, about: 'words of them that are held out' },
    epochs: { value: 4, quick: 8, about: 'passes over the words to learn from' },
    batch: { value: 128, quick: 32, about: 'words in a step' },
    units: { value: 128, quick: 24, about: 'size of the states that read; that which speaks is twice as large' },
  },
  async run(job) {
    const { words, held, epochs, batch, units } = job.options;
    const dictionary = new Dictionary(job, words, held);
    const count = (/** @type {unknown[]} */ list) => list.length.toLocaleString('en-US');
    job.log(`CMU dictionary: ${count(dictionary.learn)} words to learn from, ${count(dictionary.held)} held out\n`);
    job.fact('data', { learn: dictionary.learn.length, held: dictionary.held.length });

    const model = new Speaker(dictionary.letterCount, dictionary.sounds.length, units);
    const decaySteps = epochs * Math.ceil(dictionary.learn.length / batch);
    const learningRate = tf.train.schedules.cosineDecay({ initialLearningRate: 3e-3, decaySteps });
    const loss = tf.losses.sparseCategoricalCrossentropy({ fromLogits: true });
    model.compile({ optimizer: tf.train.adam({ learningRate, globalClipnorm: 1 }), loss });
    const [x, y] = tensors(dictionary, dictionary.learn);
    const validationData = tensors(dictionary, dictionary.held.slice(0, 2000));
    const { history } = await model.fit(x, y, { epochs, batchSize: batch, validationData, validationBatchSize: batch });
    job.writeCurves('loss.svg', { training: history.loss, 'held out': history.val_loss }, { title: 'nats per sound' });
    judge(job, model, dictionary);
  },
});

/** [letters [batch, steps], sounds before [batch, steps]] -> logits of the sounds. */
class Speaker extends tf.Model {
  constructor(letterCount, soundCount, units) {
    super({ name: 'speaker' });
    const reading = tf.layers.gru({ units, returnSequences: true, returnState: true });
    this.letters = tf.layers.embedding({ inputDim: letterCount, outputDim: units / 2, maskZero: true });
    this.reading = tf.layers.bidirectional({ layer: reading });
    this.bridge = tf.layers.dense({ units: 2 * units, activation: 'tanh' });
    this.sounds = tf.layers.embedding({ inputDim: soundCount, outputDim: units / 2, maskZero: true });
    this.speaking = tf.layers.gru({ units: 2 * units, returnSequences: true, returnState: true });
    this.asked = tf.layers.dense({ units });
    this.keys = tf.layers.dense({ units });
    this.attention = tf.layers.additiveAttention();
    this.joined = tf.layers.concatenate();
    this.mixed = tf.layers.dense({ units: 2 * units, activation: 'tanh' });
    this.logits = tf.layers.dense({ units: soundCount });
  }

  call([letters, before]) {
    const { memory, state } = this.read(letters);
    return this.speak(before, state, memory).logits;
  }

  /** What was read of each letter, and with what in mind speaking begins. */
  read(letters) {
    const [memory, forward, backward] = this.reading.apply(this.letters.apply(letters));
    return { memory, state: this.bridge.apply(tf.concat([forward, backward], 1)) };
  }

  /** Logits behind each sound, the state then, and how much each letter was looked at. */
  speak(before, initialState, memory) {
    const [spoken, state] = this.speaking.apply(this.sounds.apply(before), { initialState });
    const query = this.asked.apply(spoken);
    const [seen, weights] = this.attention.apply([query, memory, this.keys.apply(memory)], {
      returnAttentionScores: true,
    });
    return { logits: this.logits.apply(this.mixed.apply(this.joined.apply([spoken, seen]))), state, weights };
  }
}

/** Inputs and targets of words. */
function tensors(dictionary, entries) {
  const rows = entries.map(({ word, sounds }) => ({ letters: dictionary.spell(word), ...dictionary.sound(sounds) }));
  const whole = (/** @type {'letters' | 'before' | 'after'} */ key) =>
    tf.tensor2d(Int32Array.from(rows.flatMap((row) => row[key])), [rows.length, rows[0][key].length], 'int32');
  return [[whole('letters'), whole('before')], whole('after')];
}

/**
 * Says words sound by sound, the likeliest each time: one program reads and speaks.
 * @returns {(words: string[]) => { sounds: string[], looks: number[][] }[]}
 */
function sayer(model, dictionary) {
  const run = tf.jit((letters) => {
    const { memory, state } = model.read(letters);
    const start = tf.fill([letters.shape[0], 1], edge, 'int32');
    const [, [sounds, looks]] = tf.scan(
      ([before, held]) => {
        const { logits, state: next, weights } = model.speak(before, held, memory);
        const sound = logits.argMax(-1);
        return [
          [sound, next],
          [sound, weights],
        ];
      },
      [start, state],
      tf.range(0, longest + 1),
    );
    return [sounds.squeeze([2]).transpose(), looks.squeeze([2]).transpose([1, 0, 2])];
  });
  return (words) => {
    const letters = tf.tensor2d(
      words.map((word) => dictionary.spell(word)),
      undefined,
      'int32',
    );
    const [sounds, looks] = run(letters).map((result) => result.arraySync());
    return words.map((word, i) => {
      const said = dictionary.said(sounds[i]);
      return { sounds: said, looks: looks[i].slice(0, said.length).map((row) => row.slice(0, word.length)) };
    });
  };
}

/** Says all held-out words; writes what it said of some, and where it looked. */
function judge(job, model, dictionary) {
  const say = sayer(model, dictionary);
  const { held } = dictionary;
  const progress = job.progress('saying', held.length, 'words');
  const said = [];
  for (let at = 0; at < held.length; at += 100) {
    const part = held.slice(at, at + 100);
    said.push(...say(part.map(({ word }) => word)));
    progress.step({}, part.length);
  }
  progress.end();
  const wrong = held.map(({ sounds }, i) => distance(said[i].sounds, sounds));
  const total = held.reduce((sum, { sounds }) => sum + sounds.length, 0);
  const sum = wrong.reduce((a, b) => a + b, 0);
  const right = wrong.filter((count) => count === 0).length;
  const lines = held.slice(0, 400).map(({ word, sounds }, i) => {
    const mark = wrong[i] === 0 ? '' : `   (${sounds.join(' ')})`;
    return `${word.padEnd(longest + 1)} ${said[i].sounds.join(' ')}${mark}`;
  });
  job.write(
    'words.txt',
    `what it says of words never seen (in brackets the dictionary, where it differs):\n\n${lines.join('\n')}\n`,
  );
  const shown = held
    .map((entry, i) => ({ ...entry, ...said[i], i }))
    .filter(({ word, sounds }) => word.length >= 7 && sounds.length > 0);
  const tables = shown.slice(0, 6).map(({ word, sounds, looks }) => ({
    title: `${word.toLowerCase()}: ${sounds.join(' ')}`,
    rows: sounds,
    columns: [...word],
    values: looks,
  }));
  if (tables.length > 0) job.write('attention.svg', heatmapsSvg(tables));
  job.log(`\n${((100 * right) / held.length).toFixed(1)} % of the held-out words are said as the dictionary has them`);
  job.fact('words right', right / held.length);
  job.check('sounds wrong in held-out words', (100 * sum) / total, { atMost: 12, quick: 88, unit: '%' });
}

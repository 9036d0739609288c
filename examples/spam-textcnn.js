/** Convolutions over the words of a mail (Kim 2014): what is spam, and which words say so. */
import * as tf from 'tensorloom';
import { loadMails } from './lib/mail.js';
import { example } from './lib/options.js';

export default example({
  about: 'a sentence CNN on the Spam Assassin mails: F1 of 0.97 or better on mails never seen',
  options: {
    epochs: { value: 6, quick: 8, about: 'passes over the mails to learn from' },
    batch: { value: 32, quick: 8, about: 'mails in a step' },
    words: { value: 256, quick: 64, about: 'words of a mail that are read' },
    vocabulary: { value: 12_000, quick: 2000, about: 'words that are told apart' },
    width: { value: 64, quick: 32, about: 'numbers for each word' },
    filters: { value: 64, quick: 16, about: 'of 3, 4 and 5 words each' },
  },
  async run(job) {
    const { epochs, batch, words, vocabulary } = job.options;
    const { learn, held } = loadMails(job, words);
    const share = (/** @type {{ spam: boolean }[]} */ mails) =>
      `${mails.length.toLocaleString('en-US')} (${Math.round((100 * mails.filter(({ spam }) => spam).length) / mails.length)} % spam)`;
    job.log(`mails: ${share(learn)} to learn from, ${share(held)} held out\n`);
    job.fact('data', { learn: learn.length, held: held.length });
    const numbers = numbersOf(learn, vocabulary);

    const model = textCnn(job.options);
    const [x, y] = tensors(learn, numbers, words);
    const [heldX, heldY] = tensors(held, numbers, words);
    const decaySteps = epochs * Math.ceil(learn.length / batch);
    const learningRate = tf.train.schedules.cosineDecay({ initialLearningRate: 2e-3, decaySteps });
    model.compile({ optimizer: tf.train.adam({ learningRate }), loss: 'binaryCrossentropy', metrics: ['accuracy'] });
    const { history } = await model.fit(x, y, {
      epochs,
      batchSize: batch,
      validationData: [heldX, heldY],
      validationBatchSize: 64,
    });
    job.writeCurves('loss.svg', { training: history.loss, 'held out': history.val_loss }, { title: 'loss' });
    await job.saveModel(model);
    const f1 = await judge(job, model, held, heldX);
    job.write('words.txt', tellingWords(model, numbers));
    job.log();
    job.check('F1 on held-out mails', f1, { atLeast: 0.97, quick: 0.6, digits: 4 });
  },
});

/** Word -> number by frequency, among the mails to learn from alone. 0 stands for nothing, 1 for a word that is not among them. */
function numbersOf(mails, vocabulary) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { words } of mails) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const kept = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, vocabulary - 2);
  return new Map(kept.map(([word], i) => [word, i + 2]));
}

function tensors(mails, numbers, words) {
  const x = new Int32Array(mails.length * words);
  mails.forEach((mail, row) => {
    mail.words.forEach((word, i) => {
      x[row * words + i] = numbers.get(word) ?? 1;
    });
  });
  const y = Float32Array.from(mails, ({ spam }) => (spam ? 1 : 0));
  return [tf.tensor2d(x, [mails.length, words], 'int32'), tf.tensor2d(y, [mails.length, 1])];
}

/** Filters over three, four and five words, the strongest answer of each, and one number of them all. */
function textCnn({ words, vocabulary, width, filters }) {
  const inputs = tf.input({ shape: [words], dtype: 'int32' });
  const vectors = tf.layers.embedding({ inputDim: vocabulary, outputDim: width, name: 'words' }).apply(inputs);
  const dropped = tf.layers.dropout({ rate: 0.2 }).apply(vectors);
  const found = [3, 4, 5].map((kernelSize) =>
    tf.layers
      .globalMaxPooling1d()
      .apply(tf.layers.conv1d({ filters, kernelSize, activation: 'relu', padding: 'same' }).apply(dropped)),
  );
  const kept = tf.layers.dropout({ rate: 0.5 }).apply(tf.layers.concatenate().apply(found));
  const outputs = tf.layers.dense({ units: 1, activation: 'sigmoid' }).apply(kept);
  return tf.model({ inputs, outputs, name: 'textcnn' });
}

/** Counts what is right on the held-out mails and writes the subjects of those that it gets wrong. */
async function judge(job, model, held, x) {
  const said = await model.predict(x, { batchSize: 64 }).data();
  const count = (/** @type {(mail: { spam: boolean }, chance: number) => boolean} */ is) =>
    held.filter((mail, i) => is(mail, said[i])).length;
  const found = count(({ spam }, chance) => spam && chance >= 0.5);
  const missed = count(({ spam }, chance) => spam && chance < 0.5);
  const blamed = count(({ spam }, chance) => !spam && chance >= 0.5);
  const wrong = held.flatMap(({ spam, subject }, i) =>
    spam === said[i] >= 0.5 ? [] : [`${spam ? 'spam' : 'ham '}  ${said[i].toFixed(3)}  ${subject}`],
  );
  const head = `spam found ${found}, missed ${missed}; ham taken for spam ${blamed} of ${held.length - found - missed}`;
  job.write('mistakes.txt', `${head}\n\nwhat it is, how likely spam the net finds it, subject:\n${wrong.join('\n')}\n`);
  job.log(`\n${head}`);
  return (2 * found) / (2 * found + missed + blamed);
}

/** The words that alone, as a whole mail, look most and least like spam to the net. */
function tellingWords(model, numbers) {
  const list = [...numbers.keys()].slice(0, 2000);
  const words = model.inputs[0].shape[1];
  const x = new Int32Array(list.length * words);
  list.forEach((word, row) => {
    x[row * words] = numbers.get(word);
  });
  const chances = model.predict(tf.tensor2d(x, [list.length, words], 'int32'), { batchSize: 64 }).dataSync();
  const order = list.map((word, i) => ({ word, chance: chances[i] })).sort((a, b) => b.chance - a.chance);
  const show = (/** @type {{ word: string }[]} */ part) => part.map(({ word }) => word).join(' ');
  return `most like spam: ${show(order.slice(0, 40))}\n\nleast: ${show(order.slice(-40))}\n`;
}

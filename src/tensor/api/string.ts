/**
 * Operations on strings. They run on the host, eagerly: strings are bytes there, UTF-8 where they came from JavaScript. Semantics are
 * TensorFlow.js's.
 */
import { fail } from '../../base/errors.ts';
import { fingerPrint64 } from '../../base/farmhash.ts';
import { decodeText, encodeText, makeStrings } from '../string-tensor.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensor1D, Tensor2D } from '../types.ts';
import { int32, type Input, intsOf, stringsOf } from './host.ts';

type Bytes = Uint8Array;

function joined(parts: readonly Bytes[], separator: Bytes): Bytes {
  const length = parts.reduce((sum, part) => sum + part.length, 0) + Math.max(0, parts.length - 1) * separator.length;
  const out = new Uint8Array(length);
  let at = 0;
  parts.forEach((part, i) => {
    if (i > 0) {
      out.set(separator, at);
      at += separator.length;
    }
    out.set(part, at);
    at += part.length;
  });
  return out;
}

function checkDataSplits(op: string, splits: Int32Array, count: number): void {
  splits.forEach((split, i) => {
    const least = i === 0 ? 0 : splits[i - 1];
    const most = i === 0 ? 0 : count;
    if (split < least || split > most) fail(op, `dataSplits[${i}] must be in [${least}, ${most}]`, `got ${split}`);
  });
  const last = splits[splits.length - 1] ?? count;
  if (last !== count) fail(op, `the last split must be the number of strings, ${count}`, `got ${last}`);
}

/**
 * N-grams of each row of a ragged list of strings (row i is data[dataSplits[i] .. dataSplits[i + 1])): `n` neighbours joined by the
 * separator, for each n of nGramWidths. padWidth pads on either side, -1 for n - 1 of them. preserveShortSequences makes one n-gram of
 * a row that is too short for any.
 */
export function stringNGrams(
  data: Input,
  dataSplits: Input,
  separator: string,
  nGramWidths: readonly number[],
  leftPad: string,
  rightPad: string,
  padWidth: number,
  preserveShortSequences: boolean,
): { nGrams: Tensor1D; nGramsSplits: Tensor1D } {
  const op = 'stringNGrams';
  const { elements } = stringsOf(op, data, 'data', 1);
  const splits = intsOf(op, dataSplits, 'dataSplits', 1).data;
  checkDataSplits(op, splits, elements.length);
  const [between, left, right] = [separator, leftPad, rightPad].map(encodeText);
  const grams: Bytes[] = [];
  const outSplits = new Int32Array(splits.length);
  const addAll = (row: readonly Bytes[], n: number) => {
    const pads = Math.min(padWidth < 0 ? n - 1 : padWidth, n - 1);
    const padded = [...new Array<Bytes>(pads).fill(left), ...row, ...new Array<Bytes>(pads).fill(right)];
    for (let i = 0; i + n <= padded.length; i++) grams.push(joined(padded.slice(i, i + n), between));
  };
  for (let i = 0; i + 1 < splits.length; i++) {
    const row = elements.slice(splits[i], splits[i + 1]);
    const before = grams.length;
    // Where there are no strings at all there are no n-grams, not even of padding.
    if (elements.length > 0) for (const n of nGramWidths) addAll(row, n);
    if (preserveShortSequences && grams.length === before && row.length > 0)
      addAll(row, row.length + 2 * Math.max(0, padWidth));
    outSplits[i + 1] = grams.length;
  }
  return { nGrams: makeStrings<'R1'>(grams, [grams.length], op), nGramsSplits: int32<Tensor1D>(outSplits) };
}

/** Pieces between bytes of the delimiter; single bytes where it is empty. */
function pieces(text: Bytes, delimiters: Bytes, skipEmpty: boolean): Bytes[] {
  if (text.length === 0) return [];
  if (delimiters.length === 0) return Array.from(text, (_, i) => text.subarray(i, i + 1));
  const found: Bytes[] = [];
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    if (i < text.length && !delimiters.includes(text[i])) continue;
    if (i > start || !skipEmpty) found.push(text.subarray(start, i));
    start = i + 1;
  }
  return found;
}

/**
 * Splits a list of strings at every byte of the delimiter, as a sparse tensor: indices [n, 2] of (string, piece), the pieces, and the
 * dense shape [strings, most pieces].
 */
export function stringSplit(
  input: Input,
  delimiter: Input,
  skipEmpty = true,
): { indices: Tensor2D; values: Tensor1D; shape: Tensor1D } {
  const op = 'stringSplit';
  const { elements } = stringsOf(op, input, 'input', 1);
  const [delimiters] = stringsOf(op, delimiter, 'delimiter', 0).elements;
  const rows = elements.map((text) => pieces(text, delimiters, skipEmpty));
  const values = rows.flat();
  const indices = rows.flatMap((row, i) => row.flatMap((_, j) => [i, j]));
  const widest = rows.reduce((most, row) => Math.max(most, row.length), 0);
  return {
    indices: int32<Tensor2D>(indices, [values.length, 2]),
    values: makeStrings<'R1'>(values, [values.length], op),
    shape: int32<Tensor1D>([elements.length, widest]),
  };
}

/** FarmHash's Fingerprint64 of each string modulo numBuckets, as int32 of the shape of the input. */
export function stringToHashBucketFast<T extends Tensor = Tensor>(input: Input, numBuckets: number): T {
  const op = 'stringToHashBucketFast';
  if (!Number.isInteger(numBuckets) || numBuckets < 1) {
    fail(op, 'numBuckets must be an integer of 1 or more', `got ${numBuckets}`);
  }
  const { elements, shape } = stringsOf(op, input, 'input');
  const buckets = elements.map((text) => Number(BigInt.asIntN(32, fingerPrint64(text) % BigInt(numBuckets))));
  return int32<T>(buckets, shape);
}

/** Each string with the first match of the pattern replaced, or all of them; both are those of JavaScript's RegExp ($1 is a group). */
export function staticRegexReplace<T extends Tensor = Tensor>(
  input: Input,
  pattern: string,
  rewrite: string,
  replaceGlobal = true,
): T {
  const op = 'staticRegexReplace';
  const { elements, shape } = stringsOf(op, input, 'input');
  const expression = compiled(op, pattern, replaceGlobal);
  const texts = elements.map((text) => decodeText(text).replace(expression, rewrite));
  return makeStrings(texts, shape, op) as Tensor as T;
}

function compiled(op: string, pattern: string, global: boolean): RegExp {
  try {
    return new RegExp(pattern, global ? 'g' : '');
  } catch (error) {
    return fail(op, 'the pattern must be a regular expression', error instanceof Error ? error.message : String(error));
  }
}

/** The functions of strings together. */
export const string = { staticRegexReplace, stringNGrams, stringSplit, stringToHashBucketFast } as const;

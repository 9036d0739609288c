/**
 * Options of examples: what an example declares, read from the command line, and shown as help. Knows nothing of models.
 */
import { parseArgs } from 'node:util';

/** A mistake of the user's: its message is all that there is to say. */
export class MistakeError extends Error {}

/**
 * @typedef {object} Option
 * @property {number | string | boolean} value The default, whose type is the option's.
 * @property {number | string | boolean} [quick] The default with --quick.
 * @property {string} about One line of help.
 * @property {readonly string[]} [among] The values that are allowed.
 *
 * @typedef {object} Example
 * @property {string} about One line: what it trains and what it must reach.
 * @property {{ [name: string]: Option }} options
 * @property {(job: import('./job.js').Job) => Promise<void>} run
 */

/** An example, checked: what a file under examples/ exports by default. @param {Example} declared @returns {Example} */
export function example({ about, options = {}, run }) {
  if (typeof about !== 'string' || typeof run !== 'function') throw new Error('an example needs {about, options, run}');
  return { about, options: { ...options, ...common }, run };
}

/** @type {{ [name: string]: Option }} */
const common = {
  quick: { value: false, about: 'a run of seconds on little data, to see that all works' },
  seed: { value: 1, about: 'makes a run repeatable; another seed is another run' },
  out: { value: '', about: 'folder for what it makes (default examples/out/NAME)' },
  backend: { value: '', among: ['x64', 'wasm', 'reference'], about: 'default: the fastest that runs here' },
};

/**
 * The values of all options. An option that is not given has its default, or its quick one.
 * @param {string} name @param {Example} example @param {string[]} args
 * @returns {{ [name: string]: number | string | boolean }}
 */
export function readOptions(name, example, args) {
  const declared = Object.entries(example.options);
  const given = parse(name, declared, args);
  return Object.fromEntries(
    declared.map(([key, option]) => {
      const fallback = given['quick'] === true && option.quick !== undefined ? option.quick : option.value;
      const text = given[key];
      return [key, text === undefined ? fallback : valueOf(key, option, text)];
    }),
  );
}

/** @param {string} name @param {[string, Option][]} declared @param {string[]} args */
function parse(name, declared, args) {
  const options = Object.fromEntries(
    declared.map(([key, { value }]) => [key, { type: typeof value === 'boolean' ? 'boolean' : 'string' }]),
  );
  try {
    return parseArgs({ args, options, allowPositionals: false }).values;
  } catch (error) {
    const known = declared.map(([key]) => `--${key}`).join(' ');
    throw new MistakeError(`[example ${name}] ${error.message.split('. ')[0]}; the options are ${known}`);
  }
}

/** @param {string} key @param {Option} option @param {string | boolean} text */
function valueOf(key, { value, among }, text) {
  if (among && !among.includes(String(text))) {
    throw new MistakeError(`[example] --${key} must be one of ${among.join(', ')}; got '${text}'`);
  }
  if (typeof value !== 'number') return text;
  const number = Number(text);
  const whole = Number.isInteger(value);
  if (text !== '' && Number.isFinite(number) && (!whole || Number.isInteger(number)) && number >= 0) return number;
  throw new MistakeError(`[example] --${key} must be ${whole ? 'a whole' : 'a'} number of at least 0; got '${text}'`);
}

/** @param {string} name @param {Example} example */
export function helpOf(name, { about, options }) {
  const rows = Object.entries(options).map(([key, { value, quick, about: line, among }]) => {
    const kind =
      typeof value === 'boolean' ? '' : among ? ` ${among.join('|')}` : typeof value === 'number' ? ' N' : ' TEXT';
    const usual = typeof value === 'boolean' || value === '' ? '' : `default ${value}`;
    const short = quick === undefined ? '' : `${usual ? ', ' : ''}quick ${quick}`;
    return [`  --${key}${kind}`, line + (usual || short ? ` (${usual}${short})` : '')];
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  return [`${name}: ${about}`, '', ...rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`)].join('\n');
}

/**
 * `npm run example NAME -- [options]`: finds an example by its name, reads its options, runs it and says whether it
 * reached what it must. Without a name it lists the examples. Every file beside this one whose default export comes from
 * `example()` is one; this file knows nothing else of them.
 */
import { readdirSync } from 'node:fs';
import { helpOf, MistakeError, readOptions } from './lib/options.js';
import { Job } from './lib/job.js';

/** The runner itself, and the main job, which is a program of its own (`npm start`). */
const others = ['run.js', 'mnist.js'];
const names = readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.js') && !others.includes(file))
  .map((file) => file.slice(0, -'.js'.length))
  .sort();

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // A mistake of the user's is one line; anything else shows where it happened.
  const mistake = error instanceof MistakeError || error?.name === 'UserError';
  console.error(mistake ? error.message : error);
  process.exitCode = 1;
}

/** @param {string[]} args @returns {Promise<number>} the exit code */
async function main([name, ...args]) {
  if (name === undefined || name === '--help' || name === '-h') {
    await list();
    return 0;
  }
  if (!names.includes(name)) {
    const what = name.startsWith('-') ? `'${name}' came before it` : `there is no '${name}'`;
    throw new MistakeError(`[example] the first argument must be an example's name; ${what}; try ${names.join(', ')}`);
  }
  refuseSwallowedOptions();
  const example = await load(name);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(helpOf(name, example));
    return 0;
  }
  return new Job(name, example, readOptions(name, example, args)).run();
}

/** npm keeps options to itself that do not stand behind `--`: the example would run without them. */
function refuseSwallowedOptions() {
  const swallowed = ['quick', 'seed', 'out', 'epochs'].filter(
    (name) => process.env[`npm_config_${name}`] !== undefined,
  );
  if (swallowed.length === 0) return;
  const list = swallowed.map((name) => `--${name}`).join(', ');
  throw new MistakeError(
    `[example] options must stand behind --; npm took ${list} for itself; try: npm run example NAME -- --quick`,
  );
}

/** @param {string} name */
async function load(name) {
  const { default: example } = await import(`./${name}.js`);
  return example;
}

async function list() {
  console.log('npm run example NAME -- [options]\n');
  const width = Math.max(...names.map((name) => name.length));
  for (const name of names) console.log(`  ${name.padEnd(width)}  ${(await load(name)).about}`);
  console.log('\nOptions that all take: --quick, --seed N, --out DIR, --backend NAME, --help (which lists the rest).');
}

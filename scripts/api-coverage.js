/**
 * Compares what users can name in TensorFlow.js with what they can name here, and writes docs/tensorflowjs.md. The names are read
 * from the packages themselves: the exports of tfjs-core and tfjs-layers, the members of their namespaces, the methods of tensors.
 * With --check it writes nothing and fails where a name is missing that scripts/api-absent.js gives no reason for.
 *
 * Usage: node scripts/api-coverage.js [--check]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { absent } from './api-absent.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = path.join(root, 'node_modules/.cache/api-coverage');

/** What TensorFlow.js's packages export, with all chained methods. */
async function theirs() {
  const outfile = path.join(cache, 'theirs.cjs');
  const contents = [
    "export * from '@tensorflow/tfjs-core';",
    "export * from '@tensorflow/tfjs-layers';",
    "import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';",
  ];
  const stdin = { contents: contents.join('\n'), resolveDir: root };
  await build({
    stdin,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    mainFields: ['module', 'main'],
    outfile,
    logLevel: 'error',
  });
  return createRequire(import.meta.url)(outfile);
}

/** The names of @tensorflow/tfjs-data 4.22, which is no development dependency. */
const dataNames =
  'array Dataset zip CSVDataset TextLineDataset csv func generator microphone webcam FileDataSource URLDataSource'.split(
    ' ',
  );

/** What this package exports, from its sources. */
async function ours() {
  const outfile = path.join(cache, 'ours.mjs');
  await build({
    entryPoints: [path.join(root, 'src/index.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['koffi', 'commander', 'webgpu'],
    outfile,
    logLevel: 'error',
    define: { __TENSORLOOM_VERSION__: '"coverage"', __TENSORLOOM_ASSETS__: '"../assets/"' },
  });
  return import(pathToFileURL(outfile).href);
}

/** Groups of names: where they are found, and whether we have each. */
function groupsOf(tfjs, tensorloom) {
  const names = Object.keys(tfjs).filter((name) => !/^(default|version|version_\w+|__esModule)$/.test(name));
  const isKernelName = (name) => typeof tfjs[name] === 'string';
  const isNamespace = (name) => typeof tfjs[name] === 'object' && tfjs[name] !== null && /^[a-z]/.test(name);
  const flat = names.filter((name) => !isKernelName(name) && !isNamespace(name));
  const group = (title, list, has, prefix = 'tf.') => ({
    title,
    names: [...list].sort().map((name) => ({ name, key: `${prefix}${name}`, there: has(name) })),
  });
  const members = (value) => Object.keys(value).filter((name) => Number.isNaN(Number(name)));
  const methods = Object.getOwnPropertyNames(tfjs.Tensor.prototype).filter((name) => name !== 'constructor');
  return [
    group('Functions and classes', flat, (name) => name in tensorloom),
    group('Methods of tensors', methods, (name) => name in tensorloom.Tensor.prototype, 'Tensor.'),
    ...names
      .filter(isNamespace)
      .sort()
      .map((space) =>
        group(`tf.${space}`, members(tfjs[space]), (name) => name in (tensorloom[space] ?? {}), `tf.${space}.`),
      ),
    group('tf.data', dataNames, (name) => name in tensorloom.data, 'tf.data.'),
    group('Names of kernels', names.filter(isKernelName), (name) => tensorloom[name] === tfjs[name]),
  ];
}

function reasonFor(key) {
  return absent[key] ?? absent[`${key.slice(0, key.lastIndexOf('.'))}.*`];
}

function page(groups) {
  const all = groups.flatMap(({ names }) => names);
  const there = all.filter((entry) => entry.there);
  const lines = [
    '# Beside TensorFlow.js',
    '',
    'Written by `node scripts/api-coverage.js` from the exports of `@tensorflow/tfjs-core`, `@tensorflow/tfjs-layers` and',
    '`@tensorflow/tfjs-data` 4.22; do not edit.',
    'A name that is there takes the same arguments in the same order, with the same defaults. Reasons for what is not are in',
    '`scripts/api-absent.js`; a test holds that nothing is missing without one.',
    '',
    `**${there.length} of ${all.length} names.**`,
  ];
  for (const { title, names } of groups) {
    const have = names.filter((entry) => entry.there);
    lines.push('', `## ${title}: ${have.length} of ${names.length}`, '');
    if (have.length > 0) lines.push(have.map(({ name }) => `\`${name}\``).join(' '));
    const missing = names.filter((entry) => !entry.there);
    if (missing.length === 0) continue;
    lines.push('', '| absent | why |', '|---|---|');
    const byReason = Map.groupBy
      ? Map.groupBy(missing, ({ key }) => reasonFor(key) ?? 'no reason')
      : missing.reduce((map, entry) => {
          const reason = reasonFor(entry.key) ?? 'no reason';
          return map.set(reason, [...(map.get(reason) ?? []), entry]);
        }, new Map());
    for (const [reason, entries] of byReason) {
      lines.push(`| ${entries.map(({ name }) => `\`${name}\``).join(' ')} | ${reason} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

mkdirSync(cache, { recursive: true });
// TensorFlow.js greets whoever uses it in Node.
const warn = console.warn;
console.warn = () => undefined;
const groups = groupsOf(await theirs(), await ours());
console.warn = warn;
const all = groups.flatMap(({ names }) => names);
const unexplained = all.filter(({ there, key }) => !there && !reasonFor(key)).map(({ key }) => key);
const covered = all.filter(({ there }) => there).length;
console.log(`${covered} of ${all.length} names of TensorFlow.js; ${unexplained.length} missing without a reason`);
if (unexplained.length > 0) console.log(unexplained.join(' '));
if (process.argv.includes('--check')) process.exitCode = unexplained.length > 0 ? 1 : 0;
else writeFileSync(path.join(root, 'docs/tensorflowjs.md'), page(groups));
process.exit();

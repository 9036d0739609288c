/**
 * `npm run build`: bundles src/ into dist/ with esbuild and lets tsc write the declarations.
 *
 * Node and browsers get separate bundles. Splitting is on, so a dynamic `import()` of a code generator stays a
 * file of its own and is loaded only where it is used. All chunks lie flat in dist/, so that
 * `new URL('./wasm-worker.js', import.meta.url)` and `'../assets/'` mean the same from each of them.
 * `--quiet` prints only errors; `--no-types` leaves the declarations out.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { deferral } from './deferred.js';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

const quiet = process.argv.includes('--quiet');
const withTypes = !process.argv.includes('--no-types');
const started = performance.now();
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

// Built beside and renamed at the end: a failed build leaves the last good one, and a running program is not
// caught with half a dist/.
const staging = `dist.${process.pid}`;
process.on('exit', () => rmSync(staging, { recursive: true, force: true }));

/** @type {import('esbuild').BuildOptions} */
const shared = {
  bundle: true,
  format: 'esm',
  target: 'es2023',
  sourcemap: true,
  outdir: staging,
  logLevel: 'warning',
  // Half the bytes to read and to parse at import; names stay, for errors and profiles.
  minifyWhitespace: true,
  minifySyntax: true,
  // `using` is newer than Node 20.
  supported: { using: false },
  define: { __TENSORLOOM_VERSION__: JSON.stringify(version), __TENSORLOOM_ASSETS__: '"../assets/"' },
};

// The worker is loaded by URL, never imported, so it is an entry.
const worker = 'src/runtime/wasm/worker.ts';
const deferred = deferral(root);
const node = {
  ...shared,
  splitting: true,
  platform: 'node',
  external: ['koffi', 'commander'],
  entryPoints: {
    index: 'src/index.ts',
    'cli/main': 'src/cli/main.ts',
    // Loaded by file name, synchronously, when the first value is needed.
    'node-x64-backend': 'bundle:src/tensor/x64-backend.ts',
    'node-wasm-backend': 'bundle:src/tensor/wasm-backend.ts',
    'node-reference-backend': 'bundle:src/tensor/reference-backend.ts',
    ...deferred.entryPoints,
  },
  plugins: [deferred.plugin],
  define: { ...shared.define, __TENSORLOOM_BUNDLES__: '"./node-"' },
  chunkNames: 'node-[name]-[hash]',
};
/** What only Node has is behind checks that a browser never passes; an app's bundler must not meet its names. */
const withoutNode = {
  name: 'without-node',
  setup(/** @type {import('esbuild').PluginBuild} */ { onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path: name }) => ({ path: name, namespace: 'absent' }));
    onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = {};' }));
  },
};
const browser = {
  ...shared,
  splitting: true,
  platform: 'browser',
  external: ['koffi', 'commander'],
  plugins: [withoutNode],
  entryPoints: { browser: 'src/browser.ts' },
  chunkNames: 'browser-[name]-[hash]',
};
const jobs = [build(node), build(browser)];
if (existsSync(worker)) {
  jobs.push(build({ ...shared, platform: 'neutral', external: ['node:*'], entryPoints: { 'wasm-worker': worker } }));
}

try {
  await Promise.all(jobs);
} catch {
  process.exit(1);
}
chmodSync(path.join(staging, 'cli/main.js'), 0o755);

if (withTypes) {
  const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  const declarations = ['-p', 'tsconfig.types.json', '--outDir', path.join(staging, 'types')];
  const result = spawnSync(process.execPath, [tsc, ...declarations], { stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

const previous = `${staging}.previous`;
if (existsSync('dist')) renameSync('dist', previous);
renameSync(staging, 'dist');
rmSync(previous, { recursive: true, force: true });
if (!quiet) console.log(`built dist/ in ${((performance.now() - started) / 1000).toFixed(1)} s`);

/**
 * A plugin of scripts/build.js that keeps most of the package out of what an import has to parse. A module of these rooms
 * whose exports are all functions is replaced, for everybody who imports it at once, by functions of the same names that
 * load the module's group when the first of them is called (src/base/deferred.ts); of a module with constants or classes
 * too, the functions are (scripts/split-module.js). Among themselves the modules of all
 * groups know each other as they are. Sources know nothing of this: from source, and in browsers, nothing is deferred.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { splitModule, standInPlace } from './split-module.js';

/** Each group is one bundle, loaded as a whole; a module belongs to the first that its path begins with. */
const groups = {
  linalg: ['ops/linalg/', 'ops/composite-linalg', 'tensor/api/linalg'],
  families: [
    ...[
      'image/',
      'signal',
      'spectral',
      'windows',
      'morphology',
      'browser',
      'ragged',
      'sparse',
      'string',
      'segments',
      'unique',
    ].map((family) => `tensor/api/${family}`),
    ...['bessel', 'colour', 'crop', 'error', 'fft', 'gamma', 'incomplete', 'signal', 'statistics'].map(
      (family) => `ops/composite-${family}`,
    ),
  ],
  kernels: ['attention', 'branch', 'fft', 'resample', 'scan', 'scatter', 'search', 'sort', 'topk'].map(
    (name) => `ops/${name}`,
  ),
  ops: ['ops/', 'autodiff/'],
  api: ['api/', 'derivatives', 'autograd', 'vmap', 'jit', 'evaluate'].map((name) => `tensor/${name}`),
  nn: ['nn/', 'data/', 'io/'],
  // Its modules call functions of the others while they are evaluated.
  applications: ['applications/'],
};

/** Modules whose functions are called while the package is imported, and those that the command line shares: it has no loader. */
const eager = new Set([
  'data/cache.ts',
  'data/download.ts',
  'nn/layers/registry.ts',
  'nn/models/saving.ts',
  'nn/naming.ts',
  'nn/sequence_losses.ts',
  'ops/batching.ts',
  'tensor/api/methods.ts',
]);

/** Functions of other modules that are called while the package is imported. */
const eagerFunctions = new Set([
  'officialFiles',
  'generalizedOf',
  'tverskyOf',
  'huberOf',
  'categoricalFocal',
  'binaryFocal',
  'checked',
  'ofRank',
  'unary',
  'search',
  'reduction',
  'renaming',
  'shift',
  'logic',
  'logical',
  'comparison',
  'splitBy',
  'extremum',
  'binary',
]);

/** A line outside of every declaration that does something when its module is evaluated. */
const statement = /^(?!import|export|const|let|function|async|type|interface|declare|class|[})\]\s/*]|$)/m;
const exported = /^export (?!type |interface |declare )(.*)$/gm;
const functionName = /^(?:async )?function (\w+)/;

/** The functions that a module exports; null where it exports something else too, or acts by itself. */
function onlyFunctions(source) {
  const names = [...source.matchAll(exported)].map(([, rest]) => functionName.exec(rest)?.[1]);
  return names.length > 0 && names.every(Boolean) && !statement.test(source) ? [...new Set(names)] : null;
}

/** file -> { group, index, names, halves }: halves is null where the whole module is deferred. */
function findModules(src) {
  const modules = new Map();
  const files = readdirSync(src, { recursive: true }).map((file) => file.replaceAll('\\', '/'));
  for (const file of files.sort()) {
    const group = Object.keys(groups).find((name) => groups[name].some((prefix) => file.startsWith(prefix)));
    if (!group || !/(?<!\.test|\.d)\.ts$/.test(file) || eager.has(file)) continue;
    const source = readFileSync(path.join(src, file), 'utf8');
    const names = onlyFunctions(source);
    const halves = names ? null : splitModule(path.join(src, file), source, eagerFunctions);
    if (names || halves) modules.set(path.join(src, file), { group, index: modules.size, names, halves });
  }
  return modules;
}

/** Short, as there are a thousand of them. */
const standInFor = (name, group, index) => `function ${name}(...a) { return $${group}().m${index}.${name}(...a); }`;

/** The plugin, and the entry points that it adds. */
export function deferral(root) {
  const src = path.join(root, 'src');
  const modules = findModules(src);
  const runtime = JSON.stringify(path.join(src, 'base/deferred.ts'));
  // Every bundle imports what the package's entry imports. So all of that belongs to the same set of bundles, and esbuild
  // writes it as one file, where it would otherwise write one for each set: a file costs an import more than its bytes do.
  const core = `import ${JSON.stringify(path.join(src, 'exports.ts'))};`;

  const bundle = (group) =>
    [...modules]
      .filter(([, module]) => module.group === group)
      .map(
        ([file, { index, halves }]) =>
          `export * as m${index} from ${JSON.stringify(halves ? `functions:${path.relative(root, file)}` : file)};`,
      )
      .join('\n');
  const loadAll = [
    `import { setDeferredGroup } from ${runtime};`,
    'export async function loadDeferred() {',
    ...Object.keys(groups).map((group) => `  setDeferredGroup('${group}', await import('deferred:${group}'));`),
    '}',
  ].join('\n');
  const accessors = Object.keys(groups).map(
    (group) => `let ${group}; export function $${group}() { return (${group} ??= deferred('${group}')); }`,
  );
  const importGroup = (group) => `import { $${group} } from 'deferred-groups';`;
  const standIn = ({ group, index, names }) =>
    [
      importGroup(group),
      ...names.map((name) => standInFor(name, group, index)),
      `export { ${names.join(', ')} };`,
    ].join('\n');
  const headOf = ({ group, index, halves }) =>
    `${importGroup(group)} ${halves.head.replace(standInPlace, (_, name) => standInFor(name, group, index))}`;

  const plugin = {
    name: 'deferral',
    setup(build) {
      const contents = (text) => ({ contents: text, loader: 'js', resolveDir: root });
      build.onResolve({ filter: /^functions:/ }, ({ path: name }) => ({
        path: name.slice(10),
        namespace: 'functions',
      }));
      build.onResolve({ filter: /^deferred-groups$/ }, ({ path: name }) => ({ path: name, namespace: 'groups' }));
      build.onResolve({ filter: /^deferred:/ }, ({ path: name }) => ({ path: name.slice(9), namespace: 'deferred' }));
      build.onResolve({ filter: /^bundle:/ }, ({ path: name }) => ({
        path: path.join(root, name.slice(7)),
        namespace: 'bundle',
      }));
      build.onResolve({ filter: /\.ts$/ }, ({ path: name, importer, resolveDir, namespace, kind }) => {
        const file = path.resolve(resolveDir, name);
        if (kind === 'dynamic-import') return { path: file, namespace: 'bundle' };
        const whole = (module) => modules.get(module)?.halves === null;
        if (namespace === 'file' && whole(file) && !whole(importer)) {
          return { path: file, namespace: 'stand-in', sideEffects: false };
        }
        return kind === 'entry-point' ? undefined : { path: file, sideEffects: true };
      });
      build.onLoad({ filter: /\.ts$/, namespace: 'file' }, ({ path: file }) => {
        const module = modules.get(file);
        return module?.halves ? { contents: headOf(module), loader: 'ts' } : undefined;
      });
      build.onLoad({ filter: /.*/, namespace: 'functions' }, ({ path: file }) => ({
        contents: modules.get(path.join(root, file)).halves.functions,
        loader: 'ts',
        resolveDir: path.join(root, path.dirname(file)),
      }));
      build.onLoad({ filter: /.*/, namespace: 'groups' }, () =>
        contents([`import { deferred } from ${runtime};`, ...accessors].join('\n')),
      );
      build.onLoad({ filter: /.*/, namespace: 'deferred' }, ({ path: group }) => contents(`${core}\n${bundle(group)}`));
      build.onLoad({ filter: /.*/, namespace: 'bundle' }, ({ path: file }) =>
        contents(`${core}\nexport * from ${JSON.stringify(file)};`),
      );
      build.onLoad({ filter: /.*/, namespace: 'stand-in' }, ({ path: file }) => contents(standIn(modules.get(file))));
      build.onLoad({ filter: /[\\/]src[\\/]deferred-groups\.ts$/ }, () => contents(loadAll));
    },
  };
  const entryPoints = Object.fromEntries(
    Object.keys(groups).map((group) => [`node-deferred-${group}`, `deferred:${group}`]),
  );
  return { plugin, entryPoints };
}

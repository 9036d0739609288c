/**
 * Holds the import direction between the rooms of src/ (docs: DESIGN, "The house"): a room imports only from rooms
 * above it. Type-only imports count too, because a room should be readable without those below it.
 * Tests are exempt: they may reach for whatever they compare with.
 *
 * Usage: node scripts/check-rooms.js [folder, default src]
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(process.argv[2] ?? fileURLToPath(new URL('../src', import.meta.url)));

/** Top to bottom; files directly in src/ (the entries) may import everything. */
const rooms = [
  'base',
  'types',
  'kernel',
  'graph',
  'ops',
  'autodiff',
  'compiler',
  'codegen',
  'runtime',
  'tensor',
  'nn',
  'applications',
  'data',
  'io',
  'research',
  'distributed',
  'cli',
];

/** Pairs that the order alone would allow. */
const forbidden = [
  ['runtime', 'codegen', 'the session hands the bytes of the one to the other'],
  ['nn', 'graph', 'layers and optimizers are ordinary tensor code'],
  ['nn', 'codegen', 'layers and optimizers are ordinary tensor code'],
  ['nn', 'runtime', 'layers and optimizers are ordinary tensor code'],
  ['nn', 'compiler', 'layers and optimizers are ordinary tensor code'],
  ...['graph', 'ops', 'autodiff', 'compiler', 'codegen', 'runtime'].map((room) => [
    'applications',
    room,
    'networks are drawn with layers',
  ]),
];

// `from '...'`, `import '...'`, `import('...')` and `new URL('...', import.meta.url)`.
const importPattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\bnew URL\(\s*)(['"])(\.{1,2}\/[^'"]+)\1/g;

const violations = [];
for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.ts$/.test(entry.name) || /\.test\.ts$/.test(entry.name)) continue;
  check(path.join(entry.parentPath ?? entry.path, entry.name));
}

/** @param {string} file */
function check(file) {
  const from = roomOf(file);
  if (from === undefined) return;
  const where = path.relative(path.dirname(root), file);
  if (!rooms.includes(from)) {
    violations.push(`${where}: '${from}' is no room of the house; the rooms are ${rooms.join(', ')}`);
    return;
  }
  const text = blankComments(readFileSync(file, 'utf8'));
  for (const match of text.matchAll(importPattern)) {
    const target = path.resolve(path.dirname(file), match[2]);
    const to = roomOf(target);
    const line = text.slice(0, match.index).split('\n').length;
    if (to === undefined) {
      // Reading a bundled asset by URL is no import of a room.
      if (isInside(target)) violations.push(`${where}:${line} imports ${match[2]}: a room must not import an entry`);
      continue;
    }
    if (to === from) continue;
    const reason = forbidden.find(([a, b]) => a === from && b === to)?.[2];
    if (reason) {
      violations.push(`${where}:${line} imports ${match[2]}: '${from}' must not know '${to}' (${reason})`);
    } else if (rooms.indexOf(to) > rooms.indexOf(from)) {
      violations.push(
        `${where}:${line} imports ${match[2]}: '${to}' is below '${from}'; move what both need into '${from}' or above`,
      );
    }
  }
}

/** The room that a path lies in; undefined for the entries and for what lies outside src/. @param {string} file */
function roomOf(file) {
  if (!isInside(file)) return undefined;
  const parts = path.relative(root, file).split(path.sep);
  return parts.length > 1 ? parts[0] : undefined;
}

/** @param {string} file */
function isInside(file) {
  return !path.relative(root, file).startsWith('..');
}

/** Comments become spaces, so that an example in a docstring is not an import and lines keep their numbers. @param {string} text */
function blankComments(text) {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, ' '));
}

if (violations.length > 0) {
  console.error(`${violations.length} import(s) against the direction between rooms:`);
  for (const violation of violations) console.error(`  ${violation}`);
  process.exit(1);
}

/**
 * Writes docs/op-table.md from the op table, so that the page cannot disagree with the code. With --check it only says whether
 * the page is up to date.
 *
 * Usage: node scripts/op-table.js [--check]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = new URL('../', import.meta.url);
const page = new URL('docs/op-table.md', root);

const bundle = await build({
  entryPoints: [fileURLToPath(new URL('src/ops/table.ts', root))],
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  write: false,
});
const { table } = await import(
  `data:text/javascript;base64,${Buffer.from(bundle.outputFiles[0].contents).toString('base64')}`
);

const rows = Object.values(table).map((row) => {
  const dtypes = [...new Set(row.samples.flatMap((sample) => sample.inputs.map((input) => input.dtype)))];
  const { absolute, relative } = row.tolerance ?? { absolute: 1e-6, relative: 1e-6 };
  const gradient = row.gradient === 'constant' ? 'none' : 'yes';
  const exact = absolute === 0 && relative === 0;
  return [
    `\`${row.name}\``,
    row.summary.replaceAll('|', '\\|'),
    row.arity === 'variadic' ? 'any' : String(row.arity),
    dtypes.join(' '),
    row.lowering.tag,
    gradient,
    typeof row.batching === 'string' ? row.batching : 'rule',
    exact ? 'exact' : `${absolute} + ${relative} r`,
    String(row.samples.length),
  ];
});

const head = [
  'op',
  'what it computes',
  'inputs',
  'sampled dtypes',
  'lowering',
  'gradient',
  'batching',
  'tolerance',
  'samples',
];
const line = (cells) => `| ${cells.join(' | ')} |`;
const text = `# The op table

Written by \`node scripts/op-table.js\` from src/ops/table.ts: ${rows.length} rows. The tolerance is how far a target may be from
the reference: absolute + relative times the reference's value r. Rows that take float32 take float16 and bfloat16, too, and those that
take int32 also int8 and uint8. [ops.md](ops.md) says how a row is made.

${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}
`;

if (process.argv.includes('--check')) {
  let current = '';
  try {
    current = readFileSync(page, 'utf8');
  } catch {
    // Not written yet.
  }
  if (current !== text) {
    console.error('docs/op-table.md is not what the op table says: run node scripts/op-table.js');
    process.exit(1);
  }
} else {
  writeFileSync(page, text);
  console.log(`docs/op-table.md: ${rows.length} rows`);
}

#!/usr/bin/env node
/**
 * The `tensorloom` command. Only names and help texts live here; what a command does is loaded when it is called, so
 * that `--help` stays instant.
 */
import { Command, Option } from 'commander';

declare const __TENSORLOOM_VERSION__: string;

const program = new Command('tensorloom')
  .description('Deep learning in TypeScript, compiled to machine code. This command fetches what it needs.')
  .version(typeof __TENSORLOOM_VERSION__ === 'string' ? __TENSORLOOM_VERSION__ : '0.0.0-source')
  .showHelpAfterError('(run with --help for the usage)');

program
  .command('download')
  .description('fetch a dataset into the cache that datasets.*.loadData() looks into')
  .argument('<dataset>', 'mnist or fashion-mnist')
  .option('--to <folder>', 'put the files there instead; name the folder to loadData({ dir })')
  .addOption(new Option('--mirror <url...>', 'take the files from here instead of their public homes'))
  .addHelpText(
    'after',
    `
The files are checked against the SHA-256 of their content. An interrupted download goes on when it is run again.
The cache is $TENSORLOOM_CACHE, else $XDG_CACHE_HOME/tensorloom, else ~/.cache/tensorloom.

Examples:
  $ tensorloom download mnist
  $ tensorloom download fashion-mnist --to data/fashion`,
  )
  .action(async (dataset: string, options: { to?: string; mirror?: string[] }) => {
    const { downloadCommand } = await import('./download.ts');
    await downloadCommand(dataset, options);
  });

try {
  await program.parseAsync();
} catch (error) {
  const { TensorloomError } = await import('../base/errors.ts');
  if (!(error instanceof TensorloomError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

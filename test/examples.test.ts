/**
 * The examples as a user runs them, in a process each, with --quick: exit code, checks, files. `npm test` builds dist/
 * first, which they import.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const runner = path.join(root, 'examples/run.js');
const built = existsSync(path.join(root, 'dist/index.js'));
const scratch = mkdtempSync(path.join(tmpdir(), 'tensorloom-examples-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What each example writes, besides results.json. A new example gets a row. */
const files: { [example: string]: string[] } = {
  'cartpole-dqn': ['steps.svg', 'looks.svg', 'choices.png', 'episodes.txt', 'model/model.json'],
  'char-gru': ['bits.svg', 'sample.txt', 'model/model.json'],
  'char-lstm': ['bits.svg', 'sample.txt', 'model/model.json'],
  'fashion-cnn': ['loss.svg', 'accuracy.svg', 'confusions.txt', 'mistakes.png', 'model/model.json'],
  'forecast-lstm': ['error.svg', 'errors.txt', 'forecast.svg', 'model/model.json'],
  gpt: ['loss.svg', 'sample.txt', 'model/model.json'],
  'mnist-cnn': ['loss.svg', 'accuracy.svg', 'confusions.txt', 'mistakes.png', 'model/model.json'],
  'mnist-gan': ['losses.svg', 'scores.svg', 'legible.svg', 'epochs.png', 'samples.png', 'generator/model.json'],
  'mnist-vae': ['elbo.svg', 'terms.svg', 'samples.png', 'reconstructions.png', 'latent.png', 'decoder/model.json'],
  'resnet-fashion': ['loss.svg', 'accuracy.svg', 'confusions.txt', 'model/model.json'],
  pronounce: ['loss.svg', 'words.txt', 'attention.svg'],
  'spam-textcnn': ['loss.svg', 'mistakes.txt', 'words.txt', 'model/model.json'],
  'tictactoe-selfplay': ['lost.svg', 'error.svg', 'games.txt', 'model/model.json'],
};

function run(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [runner, ...args], { cwd: scratch });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

describe.skipIf(!built)('npm run example', () => {
  it('lists the examples, each of which has a row here', async () => {
    const { stdout, status } = await run();
    expect(status).toBe(0);
    const listed = [...stdout.matchAll(/^ {2}([a-z][\w-]*) {2,}\S/gm)].map(([, name]) => name);
    expect(listed).toEqual(Object.keys(files).sort());
  });

  it.for(Object.keys(files))('%s --quick reaches what it must and writes its files', async (name, { skip }) => {
    const out = path.join(scratch, name);
    const { status, stdout, stderr } = await run(name, '--quick', '--out', out);
    // Its data come from npm; without a connection there is nothing to run.
    if (stderr.includes('npm did not deliver')) skip(stderr);
    expect(`${stdout}${stderr}\nexit code ${status}`).toMatch(/reached (\d+) of the \1 asked[\s\S]*exit code 0$/);
    for (const file of files[name]) expect(statSync(path.join(out, file)).size, file).toBeGreaterThan(50);
    const results = JSON.parse(readFileSync(path.join(out, 'results.json'), 'utf8')) as { quick: boolean };
    expect(results.quick).toBe(true);
  });

  it('says what it can do, and what is wrong with what it was given, in one line', async () => {
    const [help, unknown, option, value] = await Promise.all([
      run('mnist-cnn', '--help'),
      run('mnist-rnn'),
      run('mnist-cnn', '--epcohs', '3'),
      run('mnist-cnn', '--epochs', 'many'),
    ]);
    expect(help.stdout).toContain('--epochs N');
    expect(unknown).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^\[example\] .*no 'mnist-rnn'; try .*mnist-cnn.*\n$/),
    });
    expect(option).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^\[example mnist-cnn\] .*--epcohs.*--epochs.*\n$/),
    });
    expect(value).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^\[example\] --epochs must be a whole number.*'many'\n$/),
    });
  });
});

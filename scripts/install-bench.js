/**
 * Installs bench/'s own package when its node_modules is missing or older than its lock file, and links tensorloom into
 * it, so that the bench imports the package by its name. (As a `file:..` dependency npm would install ours once more.)
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bench = path.join(root, 'bench');
const installed = path.join(bench, 'node_modules/.package-lock.json');
const lock = path.join(bench, 'package-lock.json');

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  console.log('bench: installing the peers (once)');
  // onnxruntime-node's install script would fetch CUDA libraries that the bench does not use.
  const args = ['ci', '--ignore-scripts', '--prefix', bench];
  const { status } = spawnSync('npm', args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
}
const link = path.join(bench, 'node_modules/tensorloom');
if (!existsSync(link)) symlinkSync(root, link, 'junction');

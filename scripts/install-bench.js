/** Installs bench/'s own package when its node_modules is missing or older than its lock file. */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const bench = fileURLToPath(new URL('../bench/', import.meta.url));
const installed = `${bench}node_modules/.package-lock.json`;
const fresh = existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${bench}package-lock.json`).mtimeMs;
if (!fresh) {
  console.log('bench: installing the peers (once)');
  // onnxruntime-node's install script would fetch CUDA libraries that the bench does not use.
  const args = ['ci', '--ignore-scripts', '--prefix', bench];
  const { status } = spawnSync('npm', args, { stdio: 'inherit', shell: process.platform === 'win32' });
  process.exit(status ?? 1);
}

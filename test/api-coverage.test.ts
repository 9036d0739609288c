/** No name of TensorFlow.js is missing here unless scripts/api-absent.js says why. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('every name of TensorFlow.js is there, or absent for a reason', () => {
  const script = fileURLToPath(new URL('../scripts/api-coverage.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stdout + stderr).toMatch(/ 0 missing without a reason/);
  expect(status).toBe(0);
}, 60_000);

/** The command as a user runs it: the built file, in a process of its own. `npm test` builds dist/ first. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

// Asynchronous, so that a server in this process can answer meanwhile.
function run(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args]);
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

describe.skipIf(!existsSync(main))('tensorloom', () => {
  it('says its version and what it can do', async () => {
    expect((await run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await run('--help')).stdout).toContain('download [options] <dataset>');
  });

  it('refuses a dataset that it does not know, in one line', async () => {
    const { status, stderr } = await run('download', 'imagenet');
    expect(status).toBe(1);
    expect(stderr).toBe("[download] dataset must be mnist or fashion-mnist; it is 'imagenet'\n");
  });

  it('refuses a mirror with other files', async () => {
    const server = createServer((_, response) => response.end('not the digits'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const folder = mkdtempSync(path.join(tmpdir(), 'tensorloom-test-'));
    const { status, stderr } = await run('download', 'mnist', '--to', folder, '--mirror', url);
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^\[download\] train-images-idx3-ubyte.gz must come from one of its mirrors; .*check the network/,
    );
  });
});

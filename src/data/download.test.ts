import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { type DownloadOptions, type DownloadProgress, downloadDataset } from './download.ts';
import type { Manifest } from './manifest.ts';

// Incompressible, so that the packed file is large enough to be cut.
let state = 1;
const content = Uint8Array.from({ length: 300_000 }, () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state >>> 24;
});
const packed = gzipSync(content);
const sha256 = createHash('sha256').update(content).digest('hex');
const manifest: Manifest = {
  name: 'small',
  title: 'small',
  licence: 'none',
  mirrors: [],
  files: [{ name: 'digits-idx3-ubyte', bytes: content.length, sha256 }],
};

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

let folder: string;
let servers: Server[];
let ranges: (string | undefined)[];
const target = () => path.join(folder, 'digits-idx3-ubyte.gz');
const part = () => `${target()}.part`;

/** Compared as buffers: a deep comparison of 300,000 elements takes a second. */
const expectWhole = () => expect(readFileSync(target()).equals(packed)).toBe(true);

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tensorloom-test-'));
  servers = [];
  ranges = [];
});
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  rmSync(folder, { recursive: true, force: true });
});

async function mirror(handler: Handler): Promise<string> {
  let count = 0;
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    handler(request, response, count++);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/data/`;
}

/** Serves `body` with ranges, as a good mirror does. */
function serve(body: Uint8Array): Handler {
  return (request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (from >= body.length) return response.writeHead(416).end();
    const headers = { 'content-length': body.length - from };
    const range = { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` };
    return response.writeHead(from ? 206 : 200, from ? { ...headers, ...range } : headers).end(body.subarray(from));
  };
}

/** Promises the rest and breaks the connection after `bytes` of it. */
const breakAfter =
  (bytes: number): Handler =>
  (request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from ? 206 : 200, {
      'content-length': packed.length - from,
      ...(from ? { 'content-range': `bytes ${from}-${packed.length - 1}/${packed.length}` } : {}),
    });
    response.write(packed.subarray(from, from + bytes), () => setTimeout(() => response.destroy(), 30));
  };

function download(mirrors: string[], options: DownloadOptions = {}): Promise<string> {
  return downloadDataset(manifest, { to: folder, mirrors, retryDelay: 1, ...options });
}

describe('download', () => {
  it('fetches, checks and names the file', async () => {
    const seen: DownloadProgress[] = [];
    const url = await mirror(serve(packed));
    expect(await download([url], { onProgress: (progress) => seen.push(progress) })).toBe(folder);
    expectWhole();
    expect(readdirSync(folder)).toEqual(['digits-idx3-ubyte.gz']);
    expect(seen[0]).toMatchObject({ state: 'started', received: 0, total: packed.length, index: 0, count: 1 });
    expect(seen.at(-1)).toMatchObject({ state: 'done', received: packed.length });
  });

  it('asks no one for a file that is there', async () => {
    writeFileSync(target(), packed);
    const states: string[] = [];
    await download([await mirror(serve(packed))], { onProgress: (progress) => states.push(progress.state) });
    expect(states).toEqual(['present']);
    expect(ranges).toEqual([]);
  });

  it('replaces a file that is there but wrong', async () => {
    writeFileSync(target(), packed.subarray(0, 1000));
    await download([await mirror(serve(packed))]);
    expectWhole();
  });

  it('goes on where a broken connection stopped', async () => {
    const url = await mirror((request, response, count) =>
      count < 2 ? breakAfter(100_000)(request, response, count) : serve(packed)(request, response, count),
    );
    await download([url]);
    expectWhole();
    expect(ranges[0]).toBeUndefined();
    expect(ranges.length).toBe(3);
    const starts = ranges.slice(1).map((range) => Number(/bytes=(\d+)-/.exec(range ?? '')?.[1]));
    expect(starts[0]).toBeGreaterThan(0);
    expect(starts[1]).toBeGreaterThan(starts[0]);
  });

  it('keeps the part when it gives up, and the next run goes on from it', async () => {
    const broken = await mirror(breakAfter(100_000));
    await expect(download([broken], { attempts: 1 })).rejects.toThrow(
      /^\[download\] digits-idx3-ubyte.gz must come from one of its mirrors; .* bytes are kept: run the same command again/,
    );
    expect(existsSync(target())).toBe(false);
    const kept = statSync(part()).size;
    expect(kept).toBeGreaterThan(0);
    ranges = [];
    await download([await mirror(serve(packed))]);
    expect(ranges).toEqual([`bytes=${kept}-`]);
    expectWhole();
    expect(existsSync(part())).toBe(false);
  });

  it('starts anew where a server does not do ranges', async () => {
    writeFileSync(part(), packed.subarray(0, 5000));
    await download([await mirror((_, response) => response.end(packed))]);
    expectWhole();
  });

  it('takes a part that is whole already', async () => {
    writeFileSync(part(), packed);
    await download([await mirror(serve(packed))]);
    expectWhole();
  });

  it('drops a part that belongs to something else', async () => {
    writeFileSync(part(), Buffer.alloc(2000, 7));
    await download([await mirror(serve(packed))]);
    expectWhole();
  });

  it('refuses other content, says both hashes and leaves nothing behind', async () => {
    const other = gzipSync(Uint8Array.from(content, (byte) => byte ^ 1));
    const failure = download([await mirror(serve(other))], { attempts: 2 });
    await expect(failure).rejects.toThrow(UserError);
    await expect(failure).rejects.toThrow(new RegExp(`SHA-256 of its content must be ${sha256}; it is [0-9a-f]{64}`));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes the next mirror when one is wrong, missing or down', async () => {
    const wrong = await mirror(serve(gzipSync(new Uint8Array(content.length))));
    const missing = await mirror((_, response) => response.writeHead(404).end('none'));
    const page = await mirror((_, response) => response.end('<html>log in first</html>'));
    const good = await mirror(serve(packed));
    await download(['http://127.0.0.1:9/', wrong, missing, page, good]);
    expectWhole();
  });

  it('reports a server that sends less than the file, without a length', async () => {
    const url = await mirror((_, response) => response.end(packed.subarray(0, 50_000)));
    await expect(download([url], { attempts: 2 })).rejects.toThrow(/only the first 50000 bytes of it came/);
    expect(existsSync(target())).toBe(false);
  });

  it('stops a server that sends without end, and a bomb', async () => {
    const endless = await mirror((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) {}
        response.once('drain', more);
      };
      more();
    });
    await expect(download([endless])).rejects.toThrow(/sends more than the 365536 bytes/);
    const bomb = await mirror(serve(gzipSync(new Uint8Array(5_000_000))));
    await expect(download([bomb], { attempts: 1 })).rejects.toThrow(/unpacks to more than 300000 bytes/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes a silent connection for a broken one', async () => {
    const silent = await mirror((_, response) => {
      response.writeHead(200, { 'content-length': packed.length });
      response.write(packed.subarray(0, 1000));
    });
    await expect(download([silent], { attempts: 1, idleTimeout: 100 })).rejects.toThrow(/nothing came for 0.1 s/);
  });

  it('stops when it is told to, and keeps what came', async () => {
    const controller = new AbortController();
    const url = await mirror(breakAfter(200_000));
    const onProgress = ({ received }: DownloadProgress) => {
      if (received > 0) controller.abort();
    };
    await expect(download([url], { signal: controller.signal, onProgress })).rejects.toThrow(/abort/i);
    expect(statSync(part()).size).toBeGreaterThan(0);
  });

  it('says so when the folder cannot be made', async () => {
    writeFileSync(path.join(folder, 'file'), '');
    await expect(download([], { to: path.join(folder, 'file', 'x') })).rejects.toThrow(
      /must be a folder that can be written/,
    );
  });
});

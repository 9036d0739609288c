/**
 * Downloads the official files of a dataset. Node only. An interrupted download goes on where it stopped (a `.part` file
 * and an HTTP Range), nothing counts until the SHA-256 of its unpacked content is the pinned one, and a file appears
 * under its own name only then, by a rename. Knows nothing of what the files hold.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { TensorloomError, UserError } from '../base/errors.ts';
import { cacheFolder } from './cache.ts';
import type { DataFile, Manifest } from './manifest.ts';

export interface DownloadProgress {
  /** The file's name, with `.gz`. */
  readonly file: string;
  /** Which of the files, from 0, and of how many. */
  readonly index: number;
  readonly count: number;
  /** Bytes on disk of this file, and in all if the server says so. */
  readonly received: number;
  readonly total: number | undefined;
  /** `present`: it was there already; `resumed`: part of it was there. */
  readonly state: 'present' | 'started' | 'resumed' | 'receiving' | 'done';
}

export interface DownloadOptions {
  /** Default: the folder in the cache that `loadData()` looks into. */
  to?: string;
  /** Instead of the manifest's. */
  mirrors?: readonly string[];
  onProgress?: (progress: DownloadProgress) => void;
  signal?: AbortSignal;
  /** How often one mirror is tried for one file, default 4. */
  attempts?: number;
  /** Wait before the second attempt, doubled before each later one. Default 500 ms. */
  retryDelay?: number;
  /** A connection that is silent for so long counts as broken. Default 30 s. */
  idleTimeout?: number;
}

/** Fetches what is missing of a dataset and returns its folder. */
export async function downloadDataset(manifest: Manifest, options: DownloadOptions = {}): Promise<string> {
  const folder = path.resolve(options.to ?? cacheFolder(manifest.name));
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw new UserError(`[download] ${folder} must be a folder that can be written; ${cause.message}; try --to`, {
      cause,
    });
  });
  for (const [index, file] of manifest.files.entries()) {
    const job = new FileDownload(manifest, file, folder, options, index);
    await job.run();
  }
  return folder;
}

/** What verifying a downloaded file can say. */
type Verdict = { ok: true } | { ok: false; incomplete: boolean; reason: string };

/** A failure of one attempt: whether the same mirror is worth another one. */
class AttemptError extends TensorloomError {
  override name = 'AttemptError';
  readonly again: boolean;
  constructor(message: string, again: boolean, options?: ErrorOptions) {
    super(message, options);
    this.again = again;
  }
}

class FileDownload {
  readonly #manifest: Manifest;
  readonly #file: DataFile;
  readonly #options: DownloadOptions;
  readonly #index: number;
  readonly #target: string;
  readonly #part: string;

  constructor(manifest: Manifest, file: DataFile, folder: string, options: DownloadOptions, index: number) {
    this.#manifest = manifest;
    this.#file = file;
    this.#options = options;
    this.#index = index;
    this.#target = path.join(folder, `${file.name}.gz`);
    this.#part = `${this.#target}.part`;
  }

  async run(): Promise<void> {
    const present = await sizeOf(this.#target);
    if (present > 0 && (await verify(this.#target, this.#file)).ok) {
      this.#report('present', present, present);
      return;
    }
    const failures: string[] = [];
    for (const mirror of this.#options.mirrors ?? this.#manifest.mirrors) {
      const failure = await this.#tryMirror(new URL(`${this.#file.name}.gz`, mirror).href);
      if (failure === undefined) return;
      failures.push(failure);
    }
    const kept = await sizeOf(this.#part);
    throw new UserError(
      `[download] ${this.#file.name}.gz must come from one of its mirrors; ${failures.join('; ')}; ` +
        (kept > 0
          ? `${kept} bytes are kept: run the same command again to go on`
          : 'check the network and run the same command again, or name a folder of the files with { dir }'),
    );
  }

  /** Undefined when the file is there and right, else the last reason why not. */
  async #tryMirror(url: string): Promise<string | undefined> {
    const { attempts = 4, retryDelay = 500, signal } = this.#options;
    let reason = '';
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (attempt > 0) await sleep(retryDelay * 2 ** (attempt - 1), signal);
      let resumed: boolean;
      try {
        resumed = await this.#receive(url);
      } catch (error) {
        if (!(error instanceof AttemptError)) throw error;
        reason = `${url}: ${error.message}`;
        if (!error.again) break;
        continue;
      }
      const verdict = await verify(this.#part, this.#file);
      if (verdict.ok) {
        await rename(this.#part, this.#target);
        const size = await sizeOf(this.#target);
        this.#report('done', size, size);
        return undefined;
      }
      reason = `${url}: ${verdict.reason}`;
      if (verdict.incomplete) continue;
      await rm(this.#part, { force: true });
      // What began as another mirror's part deserves a fresh start; what this mirror sent whole will not get better.
      if (!resumed) break;
    }
    return reason;
  }

  /** One request: adds to the part what the server sends. Returns whether there was something to add to. */
  async #receive(url: string): Promise<boolean> {
    const { signal, idleTimeout = 30_000 } = this.#options;
    // A gzip file is never much longer than its content: a server that goes on is not sending this file.
    const limit = this.#file.bytes + 65_536;
    const watch = new IdleWatch(idleTimeout, signal);
    let output: FileHandle | undefined;
    try {
      const have = await sizeOf(this.#part);
      const response = await fetch(url, {
        headers:
          have > 0 ? { Range: `bytes=${have}-`, 'Accept-Encoding': 'identity' } : { 'Accept-Encoding': 'identity' },
        signal: watch.signal,
      });
      // Nothing lies behind what we have: it is whole, and the hash decides.
      if (response.status === 416 && have > 0) {
        await response.body?.cancel();
        return true;
      }
      if (!response.ok || !response.body) {
        await response.body?.cancel();
        const again = response.status >= 500 || response.status === 429;
        throw new AttemptError(`the server answered ${response.status} ${response.statusText}`.trim(), again);
      }
      const resumes = response.status === 206 && startOf(response) === have;
      let received = resumes ? have : 0;
      const length = response.headers.get('content-length');
      const total = length === null ? undefined : received + Number(length);
      this.#report(received > 0 ? 'resumed' : 'started', received, total);
      output = await this.#openPart(resumes ? 'a' : 'w');
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        watch.restart();
        received += chunk.length;
        if (received > limit) {
          await output.close();
          output = undefined;
          await rm(this.#part, { force: true });
          throw new AttemptError(`it sends more than the ${limit} bytes that the file can have`, false);
        }
        await output.write(chunk);
        this.#report('receiving', received, total);
      }
      await output.sync();
      return resumes;
    } catch (cause) {
      if (signal?.aborted || cause instanceof TensorloomError) throw cause;
      if (isDiskError(cause)) {
        throw new UserError(
          `[download] ${this.#part} must be writable; ${(cause as Error).message}; free space or use --to`,
          {
            cause,
          },
        );
      }
      const why = watch.signal.aborted ? `nothing came for ${idleTimeout / 1000} s` : reasonOf(cause);
      throw new AttemptError(`the connection broke (${why})`, true, { cause });
    } finally {
      watch.stop();
      await output?.close();
    }
  }

  #openPart(flags: 'a' | 'w'): Promise<FileHandle> {
    return open(this.#part, flags);
  }

  #report(state: DownloadProgress['state'], received: number, total: number | undefined): void {
    const file = `${this.#file.name}.gz`;
    this.#options.onProgress?.({
      file,
      index: this.#index,
      count: this.#manifest.files.length,
      received,
      total,
      state,
    });
  }
}

/** Aborts when nothing came for a while or when the caller aborts. */
class IdleWatch {
  readonly #controller = new AbortController();
  readonly #timeout: number;
  readonly #outer: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = () => this.#controller.abort(this.#outer?.reason);

  constructor(timeout: number, outer?: AbortSignal) {
    this.#timeout = timeout;
    this.#outer = outer;
    if (outer?.aborted) this.#onAbort();
    outer?.addEventListener('abort', this.#onAbort);
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), this.#timeout);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onAbort);
  }
}

/** Unpacks a file and compares size and SHA-256 of its content with the pinned ones, never holding it whole. */
async function verify(file: string, expected: DataFile): Promise<Verdict> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    await pipeline(createReadStream(file), createGunzip(), async (content: AsyncIterable<Buffer>) => {
      for await (const chunk of content) {
        bytes += chunk.length;
        if (bytes > expected.bytes) break;
        hash.update(chunk);
      }
    });
  } catch (cause) {
    if (bytes > expected.bytes) {
      return { ok: false, incomplete: false, reason: `it unpacks to more than ${expected.bytes} bytes` };
    }
    // zlib's name for an end that comes too early.
    const incomplete = (cause as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
    const reason = incomplete ? `only the first ${await sizeOf(file)} bytes of it came` : reasonOf(cause);
    return { ok: false, incomplete, reason };
  }
  const digest = hash.digest('hex');
  if (bytes === expected.bytes && digest === expected.sha256) return { ok: true };
  const reason = `the SHA-256 of its content must be ${expected.sha256}; it is ${digest}`;
  return { ok: false, incomplete: false, reason };
}

/** Where a 206 answer begins; undefined if it does not say. */
function startOf(response: Response): number | undefined {
  const match = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
  return match ? Number(match[1]) : undefined;
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    (stats) => stats.size,
    () => 0,
  );
}

function isDiskError(cause: unknown): boolean {
  const code = (cause as NodeJS.ErrnoException)?.code ?? '';
  return ['ENOSPC', 'EACCES', 'EPERM', 'EROFS', 'EDQUOT', 'EIO', 'EISDIR'].includes(code);
}

/** fetch hides what happened in `cause`. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause instanceof Error ? cause.cause : cause;
  return (inner as NodeJS.ErrnoException).code ?? inner.message;
}

async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done);
  });
  signal?.throwIfAborted();
}

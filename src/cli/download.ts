/** `tensorloom download <dataset>`: the download with a progress bar, and Ctrl-C that keeps what came. */
import { UserError } from '../base/errors.ts';
import { type DownloadProgress, downloadDataset } from '../data/download.ts';
import { manifests } from '../data/manifest.ts';

export async function downloadCommand(dataset: string, options: { to?: string; mirror?: string[] }): Promise<void> {
  const manifest = manifests.find(({ name }) => name === dataset);
  if (!manifest) {
    const names = manifests.map(({ name }) => name).join(' or ');
    throw new UserError(`[download] dataset must be ${names}; it is '${dataset}'`);
  }
  const mirrors = options.mirror?.map(checkMirror);
  console.log(`${manifest.title}; licence: ${manifest.licence}`);
  const controller = new AbortController();
  const interrupt = () => controller.abort();
  process.once('SIGINT', interrupt);
  const line = new ProgressLine(process.stdout);
  try {
    const { signal } = controller;
    const onProgress = (progress: DownloadProgress) => line.show(progress);
    const folder = await downloadDataset(manifest, { to: options.to, mirrors, signal, onProgress });
    console.log(`complete in ${folder}`);
  } catch (error) {
    line.end();
    if (!controller.signal.aborted) throw error;
    console.error('interrupted; run the same command again to go on where it stopped');
    process.exitCode = 130;
  } finally {
    process.removeListener('SIGINT', interrupt);
  }
}

function checkMirror(url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UserError(`[download] --mirror must be an http or https address; it is '${url}'`);
  }
  // Without the slash the last part of the path would be replaced, not extended.
  return url.endsWith('/') ? url : `${url}/`;
}

/** One line for each file: redrawn in a terminal, printed once it is done elsewhere. */
class ProgressLine {
  readonly #out: NodeJS.WriteStream;
  #since = 0;
  #receivedBefore = 0;
  #drawn = 0;
  #open = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(progress: DownloadProgress): void {
    const { state, file, received } = progress;
    const now = performance.now();
    if (state === 'started' || state === 'resumed') {
      this.#since = now;
      this.#receivedBefore = received;
    }
    const isLast = state === 'present' || state === 'done';
    if (!this.#out.isTTY) {
      if (isLast) this.#out.write(`${file}: ${state === 'present' ? 'there already' : megabytes(received)}\n`);
      return;
    }
    // A redraw for every network packet would cost more than the download.
    if (!isLast && now - this.#drawn < 80) return;
    this.#drawn = now;
    this.#out.write(`\r\x1b[K${this.#text(progress, now)}${isLast ? '\n' : ''}`);
    this.#open = !isLast;
  }

  /** Leaves an unfinished line standing. */
  end(): void {
    if (this.#open) this.#out.write('\n');
    this.#open = false;
  }

  #text({ state, file, index, count, received, total }: DownloadProgress, now: number): string {
    const head = `${index + 1}/${count} ${file.padEnd(26)}`;
    if (state === 'present') return `${head} there already`;
    if (state === 'done') return `${head} ${bar(1)} ${megabytes(received)}, checked`;
    const speed = ((received - this.#receivedBefore) / Math.max(now - this.#since, 1)) * 1000;
    const rate = speed > 0 ? `  ${megabytes(speed)}/s` : '';
    if (total === undefined) return `${head} ${megabytes(received)}${rate}`;
    const left = speed > 0 ? `  ${Math.ceil((total - received) / speed)} s left` : '';
    return `${head} ${bar(received / total)} ${megabytes(received)} of ${megabytes(total)}${rate}${left}`;
  }
}

function bar(share: number): string {
  const width = 24;
  const filled = Math.min(width, Math.round(share * width));
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
}

function megabytes(bytes: number): string {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * The progress of fit in a Node terminal: a bar with steps, images/s, time left, loss and metrics on one line, redrawn at most
 * ten times a second; plain lines where the output is no terminal; nothing where there is no process (browsers).
 */
import { BaseCallback, type Logs } from './callback.ts';

/** The part of process.stdout that is needed. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const redrawEvery = 100;
const barWidth = 24;
const hidden = new Set(['batch', 'size']);

export class ProgbarLogger extends BaseCallback {
  readonly #stream: ProgressStream | undefined;
  /** 1: a bar; 2: one line for each epoch. */
  readonly #verbose: number;
  readonly #now: () => number;
  #epochStart = 0;
  /** When the first step of the epoch ended, and its samples: it may have compiled, so the rate leaves it out. */
  #firstEnd = 0;
  #firstSize = 0;
  #lastEnd = 0;
  #lastDraw = 0;
  #seen = 0;
  #steps = 0;
  #totals: Logs = {};

  constructor(verbose = 1, stream: ProgressStream | undefined = defaultStream(), now = () => performance.now()) {
    super();
    this.#verbose = verbose;
    this.#stream = stream;
    this.#now = now;
  }

  get #live(): boolean {
    return this.#verbose === 1 && this.#stream?.isTTY === true;
  }

  override onEpochBegin(epoch: number): void {
    this.#epochStart = this.#now();
    this.#lastDraw = 0;
    this.#seen = 0;
    this.#steps = 0;
    this.#totals = {};
    if (!this.#live) return;
    this.#write(`Epoch ${epoch + 1}/${this.params?.epochs ?? '?'}\n`);
    this.#redraw(this.#line({}));
  }

  override onBatchEnd(_batch: number, logs: Logs = {}): void {
    const size = logs['size'] ?? 0;
    this.#seen += size;
    this.#steps++;
    for (const [key, value] of Object.entries(logs)) {
      if (!hidden.has(key)) this.#totals[key] = (this.#totals[key] ?? 0) + value * size;
    }
    const now = this.#now();
    this.#lastEnd = now;
    if (this.#steps === 1) {
      this.#firstEnd = now;
      this.#firstSize = size;
    }
    if (!this.#live || now - this.#lastDraw < redrawEvery) return;
    this.#lastDraw = now;
    this.#redraw(this.#line(this.#averages()));
  }

  override onEpochEnd(epoch: number, logs: Logs = {}): void {
    if (this.#live) this.#redraw(`${this.#bar()} ${this.#line(logs, true)}\n`);
    else this.#write(`Epoch ${epoch + 1}/${this.params?.epochs ?? '?'}: ${this.#line(logs, true)}\n`);
  }

  #averages(): Logs {
    return Object.fromEntries(
      Object.entries(this.#totals).map(([key, value]) => [key, value / Math.max(1, this.#seen)]),
    );
  }

  /** `12/141`, time, rate, values. */
  #line(logs: Logs, done = false): string {
    const steps = this.params?.steps ?? this.#steps;
    const took = (this.#now() - this.#epochStart) / 1000;
    const share = done ? '' : `${this.#bar()} `;
    const rate = this.#rate();
    const left = this.#seen > 0 ? ((steps - this.#steps) * (this.#seen / this.#steps)) / rate : Number.NaN;
    const times = done ? [showTime(took)] : Number.isFinite(left) ? [`${showTime(left)} left`] : [];
    if (rate > 0) times.push(`${showRate(rate)} ${this.params?.unit ?? 'samples'}/s`);
    const values = Object.entries(logs)
      .filter(([key]) => !hidden.has(key))
      .map(([key, value]) => `${key} ${showValue(value)}`);
    const counted = `${String(this.#steps).padStart(String(steps).length)}/${steps}`;
    return `${share}${counted} ${[...times, ...values].join(' · ')}`.trimEnd();
  }

  #bar(): string {
    const share = Math.min(1, this.#steps / Math.max(1, this.params?.steps ?? this.#steps));
    const filled = Math.round(share * barWidth);
    return '━'.repeat(filled) + '·'.repeat(barWidth - filled);
  }

  /** Samples per second, once a second step has ended; of a single step there is only its own time. */
  #rate(): number {
    if (this.#steps === 0) return 0;
    const single = this.#steps === 1;
    const seen = single ? this.#seen : this.#seen - this.#firstSize;
    const time = this.#lastEnd - (single ? this.#epochStart : this.#firstEnd);
    return seen / Math.max(1e-3, time / 1000);
  }

  /** Replaces the current line; what would wrap is cut off, else the cursor could not come back to its start. */
  #redraw(line: string): void {
    const end = line.endsWith('\n') ? '\n' : '';
    const columns = this.#stream?.columns ?? 80;
    const text = end ? line.slice(0, -1) : line;
    this.#write(`\r${[...text].slice(0, Math.max(10, columns - 1)).join('')}\x1b[K${end}`);
  }

  #write(text: string): void {
    this.#stream?.write(text);
  }
}

/** 0.0213, 12.35, 2.1e-5 */
function showValue(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2);
  return value.toFixed(size >= 10 ? 2 : 4);
}

function showRate(rate: number): string {
  return rate >= 100 ? Math.round(rate).toLocaleString('en-US') : rate.toFixed(1);
}

/** 840ms, 12.3s, 4:05, 1:02:03 */
function showTime(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

function defaultStream(): ProgressStream | undefined {
  return (globalThis as { process?: { stdout?: ProgressStream } }).process?.stdout;
}

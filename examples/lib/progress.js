/** A progress bar for loops of an example's own: one line, redrawn at most ten times a second; silent where the output is no terminal, but for its end. */

const barWidth = 24;
const redrawEvery = 100;

export class Progress {
  #done = 0;
  #drawn = 0;
  #started = performance.now();

  /** @param {string} label @param {number} total @param {string} [unit] what is counted */
  constructor(label, total, unit = 'steps') {
    this.label = label;
    this.total = total;
    this.unit = unit;
  }

  /** @param {{ [name: string]: number }} [values] shown behind the bar @param {number} [by] how many more are done */
  step(values = {}, by = 1) {
    this.#done += by;
    const now = performance.now();
    if (!process.stdout.isTTY || now - this.#drawn < redrawEvery) return;
    this.#drawn = now;
    this.#draw(values, '');
  }

  /** @param {{ [name: string]: number }} [values] */
  end(values = {}) {
    this.#draw(values, '\n');
  }

  /** @param {{ [name: string]: number }} values @param {string} end */
  #draw(values, end) {
    const seconds = (performance.now() - this.#started) / 1000;
    const filled = Math.round((Math.min(this.#done, this.total) / Math.max(1, this.total)) * barWidth);
    const rate = `${(this.#done / Math.max(seconds, 1e-3)).toPrecision(3)} ${this.unit}/s`;
    const numbers = Object.entries(values).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
    const parts = [`${seconds.toFixed(1)}s`, rate, ...numbers].join(' · ');
    const line = `${this.label} ${'━'.repeat(filled)}${'·'.repeat(barWidth - filled)} ${this.#done}/${this.total} ${parts}`;
    const live = process.stdout.isTTY;
    const columns = process.stdout.columns ?? 80;
    const text = live ? [...line].slice(0, Math.max(10, columns - 1)).join('') : line;
    process.stdout.write(live ? `\r${text}\x1b[K${end}` : `${text}${end}`);
  }
}

/**
 * What a running example has at hand: its options, its folder, writers for what it makes, and the list of what it must
 * reach. Knows nothing of which example it is.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from 'tensorloom';
import { curvesSvg } from './curves.js';
import { MistakeError } from './options.js';
import { encodePng } from './png.js';
import { Progress } from './progress.js';

export class Job {
  /** @param {string} name @param {import('./options.js').Example} example @param {{ [name: string]: any }} options */
  constructor(name, example, options) {
    this.name = name;
    this.options = options;
    this.quick = options.quick === true;
    this.seed = options.seed;
    this.folder = path.resolve(options.out || fileURLToPath(new URL(`../out/${name}`, import.meta.url)));
    this.started = performance.now();
    this.#run = example.run;
  }
  #run;
  /** @type {{ name: string, measured: number, asked: string, reached: boolean }[]} */
  #checks = [];
  /** @type {{ [name: string]: unknown }} */
  #facts = {};

  /** Runs the example. @returns {Promise<number>} the exit code: 0 where all that it must reach was reached */
  async run() {
    const { backend } = this.options;
    if (backend && !(await tf.setBackend(backend))) {
      throw new MistakeError(`[example] the backend '${backend}' cannot run on this machine`);
    }
    tf.setSeed(this.seed);
    mkdirSync(this.folder, { recursive: true });
    const { threads } = tf.backend();
    const mode = this.quick ? ', quick' : '';
    this.log(
      `${this.name} on ${tf.getBackend()}, ${threads} thread${threads === 1 ? '' : 's'}, seed ${this.seed}${mode}`,
    );
    await this.#run(this);
    return this.#finish();
  }

  /** @param {string} line */
  log(line = '') {
    console.log(line);
  }

  /** Where a file of this name is to be written. @param {string} file */
  path(file) {
    const full = path.join(this.folder, file);
    mkdirSync(path.dirname(full), { recursive: true });
    return full;
  }

  /** Writes text, or bytes. @param {string} file @param {string | Uint8Array} content */
  write(file, content) {
    writeFileSync(this.path(file), content);
    this.#wrote(file);
  }

  /** A picture of grey or coloured pixels, as lib/grid.js draws them. @param {string} file @param {import('./png.js').Picture} picture */
  writePicture(file, picture) {
    this.write(file, encodePng(picture));
  }

  /**
   * Curves over epochs or steps, as SVG: `{ loss: [..], val_loss: [..] }`, one colour each.
   * @param {string} file @param {{ [name: string]: ArrayLike<number> }} series @param {import('./curves.js').CurveLook} [look]
   */
  writeCurves(file, series, look) {
    this.write(file, curvesSvg(series, { title: this.name, ...look }));
  }

  /** Saves a model into a folder beside the rest. @param {tf.LayersModel} model @param {string} [folder] */
  async saveModel(model, folder = 'model') {
    await model.save(`file://${path.join(this.folder, folder)}`);
    this.#wrote(`${folder}/model.json`);
  }

  /** A progress bar for a loop that is not fit's. @param {string} label @param {number} total @param {string} [unit] */
  progress(label, total, unit) {
    return new Progress(label, total, unit);
  }

  /** Something worth keeping in results.json that nothing is asked of. @param {string} name @param {unknown} value */
  fact(name, value) {
    this.#facts[name] = value;
  }

  /**
   * One figure that the example must reach. With --quick `quick` is asked instead: far less, but more than what comes about
   * without learning.
   * @param {string} name
   * @param {number} measured
   * @param {{ atLeast?: number, atMost?: number, quick?: number, unit?: string, digits?: number, because?: string }} bound
   *   `because` says why the bound is not the usual one, where it is not.
   */
  check(name, measured, { atLeast, atMost, quick, unit = '', digits = 2, because = '' }) {
    const usual = atLeast ?? atMost;
    const missing = usual === undefined || (this.quick && quick === undefined);
    if (missing)
      throw new Error(`check ${name}: atLeast or atMost must be given, and quick where it is checked with --quick`);
    const bound = this.quick ? quick : usual;
    // NaN reaches nothing.
    const reached = atLeast !== undefined ? measured >= bound : measured <= bound;
    const show = (/** @type {number} */ value) => `${value.toFixed(digits)}${unit && ` ${unit}`}`;
    const asked = `${atLeast !== undefined ? 'at least' : 'at most'} ${show(bound)}`;
    const why = [this.quick ? 'quick' : '', because].filter(Boolean).join(', ');
    this.log(`${reached ? '✓' : '✗'} ${name}: ${show(measured)}, asked ${asked}${why && ` (${why})`}`);
    this.#checks.push({ name, measured, asked, reached });
  }

  #finish() {
    const seconds = Number(((performance.now() - this.started) / 1000).toFixed(1));
    const { quick, seed, options } = this;
    const results = { example: this.name, seed, quick, options, ...this.#facts, checks: this.#checks, seconds };
    writeFileSync(this.path('results.json'), `${JSON.stringify(results, null, 2)}\n`);
    const reached = this.#checks.filter((check) => check.reached).length;
    this.log(
      `\nreached ${reached} of the ${this.#checks.length} asked, ${seconds} s; what it made is in ${this.folder}`,
    );
    return reached === this.#checks.length && reached > 0 ? 0 : 1;
  }

  /** @param {string} file */
  #wrote(file) {
    this.log(`  wrote ${file}`);
  }
}

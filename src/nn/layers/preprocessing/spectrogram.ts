/** Sound as pictures: short-time Fourier transforms, plain and in mel bands. */
import { fail } from '../../../base/errors.ts';
import {
  add,
  atan2,
  cast,
  concat,
  conv1d,
  imag,
  log,
  matMul,
  max,
  maximum,
  mirrorPad,
  mul,
  pad,
  pow,
  real,
  reshape,
  signal,
  slice,
  sqrt,
  square,
  sub,
  type Tensor,
  tensor,
  transpose,
} from '../../../tensor/index.ts';
import { Initializer } from '../../initializers.ts';
import type { Config } from '../../keras_config.ts';
import { Layer, type LayerArgs } from '../layer.ts';
import type { LayerVariable } from '../layer_variable.ts';
import {
  checkDataFormat,
  checkPadding,
  checkPositiveInteger,
  type DataFormat,
  type KerasShape,
  type PaddingMode,
  windowOutputLength,
} from '../shapes.ts';
import { checkName } from './image_layer.ts';

/** Coefficients of the cosine windows: sum of (-1)^j a_j cos(2 pi j i / n). */
const cosineWindows: { readonly [name: string]: readonly number[] } = {
  hann: [0.5, 0.5],
  hamming: [0.54, 0.46],
  blackman: [0.42, 0.5, 0.08],
  boxcar: [1],
};

export type Window = 'hann' | 'hamming' | 'blackman' | 'boxcar' | readonly number[] | null;

/** Points of a window, in double precision: of so many, or of one more, of which the last is left out (periodic). */
function windowPoints(label: string, window: Window, length: number, periodic: boolean): readonly number[] {
  if (window === null) return new Array<number>(length).fill(1);
  if (typeof window !== 'string') {
    if (window.length !== length) fail(label, `window must have ${length} points`, `got ${window.length}`);
    return window;
  }
  const known = Object.keys(cosineWindows);
  const coefficients = cosineWindows[checkName(label, 'window', window, known, 'hann')];
  const n = periodic ? length : length - 1;
  return Array.from({ length }, (_, i) =>
    length === 1
      ? 1
      : coefficients.reduce((sum, a, j) => sum + (j % 2 ? -a : a) * Math.cos((2 * Math.PI * j * i) / n), 0),
  );
}

export interface MelSpectrogramArgs extends LayerArgs {
  /** Default 2048. */
  fftLength?: number;
  /** Samples between frames; default 512. */
  sequenceStride?: number;
  /** Samples in a frame; default fftLength. */
  sequenceLength?: number | null;
  /** Default 'hann'. */
  window?: Window;
  /** Samples in a second; default 16000. */
  samplingRate?: number;
  /** Default 128. */
  numMelBins?: number;
  /** Hertz; default 20. */
  minFreq?: number;
  /** Hertz; default half of the sampling rate. */
  maxFreq?: number | null;
  /** Whether to give decibels; default true. */
  powerToDb?: boolean;
  /** Nothing is more decibels below the loudest; default 80. */
  topDb?: number;
  /** The power of magnitudes; default 2. */
  magExp?: number;
  /** Default 1e-10. */
  minPower?: number;
  /** What has 0 decibels; default 1. */
  refPower?: number;
}

/**
 * Power in mel bands over time, in decibels: [batch, samples], or [samples], becomes [batch, numMelBins, frames]. Frames are centered, with
 * the signal mirrored at its ends. Source: keras.layers.MelSpectrogram.
 */
export class MelSpectrogram extends Layer {
  static override readonly className = 'MelSpectrogram';
  // Powers span more than a small dtype holds.
  protected override readonly computesWide = true;
  readonly args: Required<Omit<MelSpectrogramArgs, keyof LayerArgs>>;
  readonly #length: number;
  readonly #highest: number;

  constructor(args: MelSpectrogramArgs = {}) {
    super(args);
    const { fftLength = 2048, sequenceStride = 512, window = 'hann', samplingRate = 16000, numMelBins = 128 } = args;
    const { sequenceLength = null, minFreq = 20, maxFreq = null, powerToDb = true, topDb = 80 } = args;
    const { magExp = 2, minPower = 1e-10, refPower = 1 } = args;
    const scale = { minFreq, maxFreq, powerToDb, topDb, magExp, minPower, refPower };
    this.args = { fftLength, sequenceStride, sequenceLength, window, samplingRate, numMelBins, ...scale };
    const counts = { fftLength, sequenceStride, numMelBins };
    for (const [name, value] of Object.entries(counts)) checkPositiveInteger(this.label, name, value);
    this.#length = sequenceLength ?? fftLength;
    this.#highest = maxFreq ?? Math.trunc(samplingRate / 2);
    checkPositiveInteger(this.label, 'sequenceLength', this.#length);
    if (this.#length > fftLength) {
      fail(this.label, `sequenceLength must be at most fftLength, ${fftLength}`, `got ${this.#length}`);
    }
    windowPoints(this.label, window, this.#length, true);
    this.inputSpec = { minRank: 1 };
  }

  #frames(samples: number): number {
    const { fftLength, sequenceStride } = this.args;
    return 1 + Math.floor((samples + 2 * Math.floor(fftLength / 2) - fftLength) / sequenceStride);
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const samples = inputShape[inputShape.length - 1];
    return [...inputShape.slice(0, -1), this.args.numMelBins, samples === null ? null : this.#frames(samples)];
  }

  override call(inputs: Tensor): Tensor {
    const { fftLength, sequenceStride, magExp, numMelBins, samplingRate, minFreq, powerToDb } = this.args;
    const samples = inputs.shape[inputs.rank - 1]!;
    const half = Math.floor(fftLength / 2);
    if (samples <= half)
      fail(this.label, `a signal must have more than ${half} samples`, `got ${samples}`, 'lower fftLength');
    const rows = reshape(cast(inputs, 'float32'), [inputs.size / samples, samples]);
    const margins: [number, number][] = [
      [0, 0],
      [half, half],
    ];
    const frames = signal.frame(mirrorPad(rows, margins, 'reflect'), fftLength, sequenceStride);
    const points = windowPoints(this.label, this.args.window, this.#length, true);
    const before = Math.floor((fftLength - this.#length) / 2);
    const window = pad(tensor([...points]), [[before, fftLength - this.#length - before]]);
    const spectrum = signal.rfft(mul(frames, window));
    const power = add(square(real(spectrum)), square(imag(spectrum)));
    const magnitude = magExp === 2 ? power : pow(sqrt(power), magExp);
    const bins = magnitude.shape[magnitude.rank - 1]!;
    const bank = signal.linearToMelWeightMatrix(numMelBins, bins, samplingRate, minFreq, this.#highest);
    const mel = transpose(matMul(magnitude, bank), [0, 2, 1]);
    return reshape(powerToDb ? this.#decibels(mel) : mel, [...inputs.shape.slice(0, -1), ...mel.shape.slice(1)]);
  }
  #decibels(power: Tensor): Tensor {
    const { minPower, refPower, topDb } = this.args;
    const level = sub(
      mul(log(maximum(power, minPower)), 10 / Math.LN10),
      10 * Math.log10(Math.max(Math.abs(refPower), minPower)),
    );
    return maximum(level, sub(max(level), topDb));
  }
  override getConfig(): Config {
    return { ...this.args, ...super.getConfig() };
  }
}

const spectrumModes = ['log', 'magnitude', 'psd', 'real', 'imag', 'angle', 'stft'] as const;
const scalings = ['density', 'spectrum'] as const;

export interface STFTSpectrogramArgs extends LayerArgs {
  /** 'log' (the default), 'magnitude', 'psd' (power of both halves), 'real', 'imag', 'angle' or 'stft' (real and imaginary parts). */
  mode?: (typeof spectrumModes)[number];
  /** Samples in a frame; default 256. */
  frameLength?: number;
  /** Samples between frames; default half of frameLength. */
  frameStep?: number | null;
  /** Default: the power of two from frameLength on. */
  fftLength?: number | null;
  /** Default 'hann'. */
  window?: Window;
  /** Whether the window is periodic; default false. */
  periodic?: boolean;
  /** By what the window is divided: the root of its sum of squares ('density', the default), its sum ('spectrum'), or nothing (null). */
  scaling?: (typeof scalings)[number] | null;
  /** Default 'valid'. */
  padding?: PaddingMode;
  /** Gives frequencies an axis of their own; default false: each channel's stand one after the other. */
  expandDims?: boolean;
  dataFormat?: DataFormat;
}

/** cos or sin of the frequencies times a window: what a Fourier transform multiplies frames with. */
class FourierKernel extends Initializer {
  readonly #wave: (angle: number) => number;
  readonly #window: readonly number[];
  constructor(wave: (angle: number) => number, window: readonly number[]) {
    super();
    this.#wave = wave;
    this.#window = window;
  }
  override getClassName(): string {
    return 'STFT';
  }
  override apply(shape: readonly number[]): Tensor {
    const [length, , bins] = shape;
    const points = new Float32Array(length * bins);
    const step = (-2 * Math.PI) / (2 * (bins - 1));
    for (let t = 0; t < length; t++) {
      for (let k = 0; k < bins; k++)
        points[t * bins + k] = this.#wave(step * ((t * k) % (2 * (bins - 1)))) * this.#window[t];
    }
    return tensor(points, [length, 1, bins]);
  }
  override getConfig(): Config {
    return {};
  }
}

/**
 * A short-time Fourier transform as a convolution, whose kernels training may change: [batch, samples, channels] becomes
 * [batch, frames, channels * frequencies], or [batch, frames, frequencies, channels] with expandDims. Source: keras.layers.STFTSpectrogram.
 */
export class STFTSpectrogram extends Layer {
  static override readonly className = 'STFTSpectrogram';
  // Powers span more than a small dtype holds.
  protected override readonly computesWide = true;
  readonly mode: (typeof spectrumModes)[number];
  readonly frameLength: number;
  readonly frameStep: number | null;
  readonly fftLength: number | null;
  readonly window: Window;
  readonly periodic: boolean;
  readonly scaling: (typeof scalings)[number] | null;
  readonly padding: PaddingMode;
  readonly expandDims: boolean;
  readonly dataFormat: DataFormat;
  readonly #step: number;
  readonly #bins: number;
  realKernel: LayerVariable | null = null;
  imagKernel: LayerVariable | null = null;

  constructor(args: STFTSpectrogramArgs = {}) {
    super(args);
    this.mode = checkName(this.label, 'mode', args.mode, spectrumModes, 'log');
    this.frameLength = checkPositiveInteger(this.label, 'frameLength', args.frameLength ?? 256);
    this.frameStep = args.frameStep ?? null;
    this.fftLength = args.fftLength ?? null;
    this.#step = checkPositiveInteger(this.label, 'frameStep', this.frameStep ?? Math.max(1, this.frameLength >> 1));
    const length = this.fftLength ?? 2 ** Math.ceil(Math.log2(this.frameLength));
    if (this.#step > this.frameLength)
      fail(this.label, 'frameStep must be at most frameLength', `got ${this.frameStep}`);
    if (!(length >= this.frameLength))
      fail(this.label, 'fftLength must be at least frameLength', `got ${args.fftLength}`);
    this.#bins = Math.floor(length / 2) + 1;
    this.window = args.window === undefined ? 'hann' : args.window;
    this.periodic = args.periodic ?? false;
    this.scaling = args.scaling === null ? null : checkName(this.label, 'scaling', args.scaling, scalings, 'density');
    this.padding = checkPadding(this.label, args.padding);
    this.expandDims = args.expandDims ?? false;
    this.dataFormat = checkDataFormat(this.label, args.dataFormat);
    windowPoints(this.label, this.window, this.frameLength, this.periodic);
    this.inputSpec = { rank: 3, hint: 'signals are [batch, samples, channels]' };
  }

  override build(): void {
    const points = windowPoints(this.label, this.window, this.frameLength, this.periodic);
    const total = (f: (x: number) => number) => points.reduce((sum, x) => sum + f(x), 0);
    const scale =
      this.window === null || this.scaling === null
        ? 1
        : this.scaling === 'density'
          ? Math.sqrt(total((x) => x * x))
          : total(Math.abs);
    const scaled = points.map((x) => x / scale);
    const shape = [this.frameLength, 1, this.#bins];
    const make = (name: string, wave: (angle: number) => number) =>
      this.addWeight(name, shape, { initializer: new FourierKernel(wave, scaled) });
    if (this.mode !== 'imag') this.realKernel = make('real_kernel', Math.cos);
    if (this.mode !== 'real') this.imagKernel = make('imag_kernel', Math.sin);
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const first = this.dataFormat === 'channelsFirst';
    const [batch, a, b] = inputShape;
    const [samples, channels] = first ? [b, a] : [a, b];
    const frames = windowOutputLength(samples, this.frameLength, this.padding, this.#step);
    const frequencies = this.#bins * (this.mode === 'stft' ? 2 : 1);
    if (this.expandDims) return first ? [batch, channels, frames, frequencies] : [batch, frames, frequencies, channels];
    const all = channels === null ? null : channels * frequencies;
    return first ? [batch, all, frames] : [batch, frames, all];
  }

  override call(inputs: Tensor): Tensor {
    const first = this.dataFormat === 'channelsFirst';
    const rows = first ? inputs : transpose(inputs, [0, 2, 1]);
    const [batch, channels, samples] = rows.shape as [number, number, number];
    const single = reshape(cast(rows, 'float32'), [batch * channels, samples, 1]);
    // [batch, channels, frames, frequencies]
    const convolved = (kernel: LayerVariable | null): Tensor | null => {
      if (!kernel) return null;
      const out = conv1d(single, kernel.read(), this.#step, this.padding);
      return reshape(out, [batch, channels, out.shape[1]!, this.#bins]);
    };
    const spectrum = this.#moded(convolved(this.realKernel), convolved(this.imagKernel));
    const [, , frames, frequencies] = spectrum.shape as [number, number, number, number];
    if (this.expandDims) return first ? spectrum : transpose(spectrum, [0, 2, 3, 1]);
    const flat = reshape(transpose(spectrum, [0, 1, 3, 2]), [batch, channels * frequencies, frames]);
    return first ? flat : transpose(flat, [0, 2, 1]);
  }

  #moded(re: Tensor | null, im: Tensor | null): Tensor {
    if (!re || !im) return (re ?? im)!;
    if (this.mode === 'angle') return atan2(im, re);
    if (this.mode === 'stft') return concat([re, im], 3);
    const power = add(square(re), square(im));
    if (this.mode === 'psd') {
      // Frequencies but the first and the last stand for their mirror images too.
      const inner = slice(power, [0, 0, 0, 1], [...power.shape.slice(0, 3), this.#bins - 2]);
      return add(
        power,
        pad(inner, [
          [0, 0],
          [0, 0],
          [0, 0],
          [1, 1],
        ]),
      );
    }
    const magnitude = sqrt(maximum(power, 1e-7));
    return this.mode === 'magnitude' ? magnitude : log(maximum(magnitude, 1e-7));
  }

  override getConfig(): Config {
    const { mode, frameLength, frameStep, fftLength, window, periodic, scaling, padding, expandDims, dataFormat } =
      this;
    const own = { mode, frameLength, frameStep, fftLength, window, periodic, scaling, padding, expandDims, dataFormat };
    return { ...own, ...super.getConfig() };
  }
}

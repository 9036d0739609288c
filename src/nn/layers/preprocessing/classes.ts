/** The modules of the preprocessing and augmentation layers, for files. */
import * as colour from './colour.ts';
import * as compound from './compound.ts';
import * as discretization from './discretization.ts';
import * as filters from './filters.ts';
import * as hashing from './hashing.ts';
import * as histogram from './histogram.ts';
import * as lookup from './lookup.ts';
import * as mixing from './mixing.ts';
import * as numbers from './numbers.ts';
import * as resizing from './resizing.ts';
import * as spectrogram from './spectrogram.ts';
import * as text from './text.ts';
import * as warp from './warp.ts';

export function preprocessingModules(): object[] {
  return [
    colour,
    compound,
    discretization,
    filters,
    hashing,
    histogram,
    lookup,
    mixing,
    numbers,
    resizing,
    spectrogram,
    text,
    warp,
  ];
}

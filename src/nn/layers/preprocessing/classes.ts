/** The classes of the preprocessing and augmentation layers, for files. */
import type { LayerClass } from '../registry.ts';
import {
  RandomBrightness,
  RandomColorDegeneration,
  RandomColorJitter,
  RandomContrast,
  RandomGrayscale,
  RandomHue,
  RandomInvert,
  RandomPosterization,
  RandomSaturation,
  Solarization,
} from './colour.ts';
import { AugMix, MaxNumBoundingBoxes, Pipeline, RandAugment } from './compound.ts';
import { Discretization } from './discretization.ts';
import { RandomGaussianBlur, RandomSharpness } from './filters.ts';
import { HashedCrossing, Hashing } from './hashing.ts';
import { AutoContrast, ContrastLimitedAdaptiveHistogramEqualization, Equalization } from './histogram.ts';
import { IntegerLookup, StringLookup } from './lookup.ts';
import { CutMix, MixUp, RandomErasing } from './mixing.ts';
import { CategoryEncoding, Normalization, Rescaling } from './numbers.ts';
import { CenterCrop, RandomCrop, RandomHeight, RandomWidth, Resizing } from './resizing.ts';
import { MelSpectrogram, STFTSpectrogram } from './spectrogram.ts';
import { TextVectorization } from './text.ts';
import {
  RandomElasticTransform,
  RandomFlip,
  RandomPerspective,
  RandomRotation,
  RandomShear,
  RandomTranslation,
  RandomZoom,
} from './warp.ts';

/** Each of them. */
export function preprocessingClasses(): LayerClass[] {
  return [
    AugMix,
    AutoContrast,
    CategoryEncoding,
    CenterCrop,
    ContrastLimitedAdaptiveHistogramEqualization,
    CutMix,
    Discretization,
    Equalization,
    HashedCrossing,
    Hashing,
    IntegerLookup,
    MaxNumBoundingBoxes,
    MelSpectrogram,
    MixUp,
    Normalization,
    Pipeline,
    RandAugment,
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomElasticTransform,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHeight,
    RandomHue,
    RandomInvert,
    RandomPerspective,
    RandomPosterization,
    RandomRotation,
    RandomSaturation,
    RandomSharpness,
    RandomShear,
    RandomTranslation,
    RandomWidth,
    RandomZoom,
    Rescaling,
    Resizing,
    Solarization,
    STFTSpectrogram,
    StringLookup,
    TextVectorization,
  ];
}

/** The factories of the preprocessing and augmentation layers, for tf.layers. */
import {
  type FactorArgs,
  RandomBrightness,
  RandomColorDegeneration,
  RandomColorJitter,
  type RandomColorJitterArgs,
  RandomContrast,
  RandomGrayscale,
  type RandomGrayscaleArgs,
  RandomHue,
  RandomInvert,
  type RandomInvertArgs,
  RandomPosterization,
  RandomSaturation,
  Solarization,
  type SolarizationArgs,
} from './colour.ts';
import {
  AugMix,
  type AugMixArgs,
  MaxNumBoundingBoxes,
  type MaxNumBoundingBoxesArgs,
  Pipeline,
  type PipelineArgs,
  RandAugment,
  type RandAugmentArgs,
} from './compound.ts';
import { Discretization, type DiscretizationArgs } from './discretization.ts';
import {
  RandomGaussianBlur,
  type RandomGaussianBlurArgs,
  RandomSharpness,
  type RandomSharpnessArgs,
} from './filters.ts';
import { HashedCrossing, type HashedCrossingArgs, Hashing, type HashingArgs } from './hashing.ts';
import {
  AutoContrast,
  type CLAHEArgs,
  ContrastLimitedAdaptiveHistogramEqualization,
  Equalization,
  type EqualizationArgs,
  type ValueRangeArgs,
} from './histogram.ts';
import { IntegerLookup, type IntegerLookupArgs, type LookupArgs, StringLookup } from './lookup.ts';
import { CutMix, type CutMixArgs, MixUp, type MixUpArgs, RandomErasing, type RandomErasingArgs } from './mixing.ts';
import {
  CategoryEncoding,
  type CategoryEncodingArgs,
  Normalization,
  type NormalizationArgs,
  Rescaling,
  type RescalingArgs,
} from './numbers.ts';
import {
  CenterCrop,
  RandomCrop,
  type RandomCropArgs,
  RandomHeight,
  type RandomStretchArgs,
  RandomWidth,
  Resizing,
  type ResizingArgs,
  type SizeArgs,
} from './resizing.ts';
import { MelSpectrogram, type MelSpectrogramArgs, STFTSpectrogram, type STFTSpectrogramArgs } from './spectrogram.ts';
import { TextVectorization, type TextVectorizationArgs } from './text.ts';
import {
  RandomElasticTransform,
  type RandomElasticTransformArgs,
  RandomFlip,
  type RandomFlipArgs,
  RandomPerspective,
  type RandomPerspectiveArgs,
  RandomRotation,
  type RandomRotationArgs,
  RandomShear,
  type RandomShearArgs,
  RandomTranslation,
  type RandomTranslationArgs,
  RandomZoom,
  type RandomZoomArgs,
} from './warp.ts';

export function augMix(args?: AugMixArgs): AugMix {
  return new AugMix(args);
}

export function autoContrast(args?: ValueRangeArgs): AutoContrast {
  return new AutoContrast(args);
}

export function categoryEncoding(args: CategoryEncodingArgs): CategoryEncoding {
  return new CategoryEncoding(args);
}

export function centerCrop(args: SizeArgs): CenterCrop {
  return new CenterCrop(args);
}

export function contrastLimitedAdaptiveHistogramEqualization(
  args?: CLAHEArgs,
): ContrastLimitedAdaptiveHistogramEqualization {
  return new ContrastLimitedAdaptiveHistogramEqualization(args);
}

export function cutMix(args?: CutMixArgs): CutMix {
  return new CutMix(args);
}

export function discretization(args: DiscretizationArgs): Discretization {
  return new Discretization(args);
}

export function equalization(args?: EqualizationArgs): Equalization {
  return new Equalization(args);
}

export function hashedCrossing(args: HashedCrossingArgs): HashedCrossing {
  return new HashedCrossing(args);
}

export function hashing(args: HashingArgs): Hashing {
  return new Hashing(args);
}

export function integerLookup(args?: IntegerLookupArgs): IntegerLookup {
  return new IntegerLookup(args);
}

export function maxNumBoundingBoxes(args: MaxNumBoundingBoxesArgs): MaxNumBoundingBoxes {
  return new MaxNumBoundingBoxes(args);
}

export function melSpectrogram(args?: MelSpectrogramArgs): MelSpectrogram {
  return new MelSpectrogram(args);
}

export function mixUp(args?: MixUpArgs): MixUp {
  return new MixUp(args);
}

export function normalization(args?: NormalizationArgs): Normalization {
  return new Normalization(args);
}

export function pipeline(args: PipelineArgs): Pipeline {
  return new Pipeline(args);
}

export function randAugment(args?: RandAugmentArgs): RandAugment {
  return new RandAugment(args);
}

export function randomBrightness(args: FactorArgs): RandomBrightness {
  return new RandomBrightness(args);
}

export function randomColorDegeneration(args: FactorArgs): RandomColorDegeneration {
  return new RandomColorDegeneration(args);
}

export function randomColorJitter(args?: RandomColorJitterArgs): RandomColorJitter {
  return new RandomColorJitter(args);
}

export function randomContrast(args: FactorArgs): RandomContrast {
  return new RandomContrast(args);
}

export function randomCrop(args: RandomCropArgs): RandomCrop {
  return new RandomCrop(args);
}

export function randomElasticTransform(args?: RandomElasticTransformArgs): RandomElasticTransform {
  return new RandomElasticTransform(args);
}

export function randomErasing(args?: RandomErasingArgs): RandomErasing {
  return new RandomErasing(args);
}

export function randomFlip(args?: RandomFlipArgs): RandomFlip {
  return new RandomFlip(args);
}

export function randomGaussianBlur(args?: RandomGaussianBlurArgs): RandomGaussianBlur {
  return new RandomGaussianBlur(args);
}

export function randomGrayscale(args?: RandomGrayscaleArgs): RandomGrayscale {
  return new RandomGrayscale(args);
}

export function randomHeight(args: RandomStretchArgs): RandomHeight {
  return new RandomHeight(args);
}

export function randomHue(args: FactorArgs): RandomHue {
  return new RandomHue(args);
}

export function randomInvert(args?: RandomInvertArgs): RandomInvert {
  return new RandomInvert(args);
}

export function randomPerspective(args?: RandomPerspectiveArgs): RandomPerspective {
  return new RandomPerspective(args);
}

export function randomPosterization(args: FactorArgs): RandomPosterization {
  return new RandomPosterization(args);
}

export function randomRotation(args: RandomRotationArgs): RandomRotation {
  return new RandomRotation(args);
}

export function randomSaturation(args: FactorArgs): RandomSaturation {
  return new RandomSaturation(args);
}

export function randomSharpness(args: RandomSharpnessArgs): RandomSharpness {
  return new RandomSharpness(args);
}

export function randomShear(args?: RandomShearArgs): RandomShear {
  return new RandomShear(args);
}

export function randomTranslation(args: RandomTranslationArgs): RandomTranslation {
  return new RandomTranslation(args);
}

export function randomWidth(args: RandomStretchArgs): RandomWidth {
  return new RandomWidth(args);
}

export function randomZoom(args: RandomZoomArgs): RandomZoom {
  return new RandomZoom(args);
}

export function rescaling(args: RescalingArgs): Rescaling {
  return new Rescaling(args);
}

export function resizing(args: ResizingArgs): Resizing {
  return new Resizing(args);
}

export function solarization(args?: SolarizationArgs): Solarization {
  return new Solarization(args);
}

export function stftSpectrogram(args?: STFTSpectrogramArgs): STFTSpectrogram {
  return new STFTSpectrogram(args);
}

export function stringLookup(args?: LookupArgs): StringLookup {
  return new StringLookup(args);
}

export function textVectorization(args?: TextVectorizationArgs): TextVectorization {
  return new TextVectorization(args);
}

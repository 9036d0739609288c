/**
 * tf.applications: networks by name, as keras.applications has them, and more. A builder gives a model with new weights: it draws layers
 * and knows nothing of training and of files.
 */
export type { ClassifierArgs } from './arguments.ts';
export type { DCGANDiscriminatorArgs, DCGANGeneratorArgs } from './dcgan.ts';
export type { EfficientNetArgs } from './efficientnet.ts';
export type { GoogLeNetArgs } from './inception.ts';
export type { MobileNetArgs } from './mobilenet.ts';
export type { PreprocessArgs } from './preprocess.ts';
export type { FCN8sArgs, UNetArgs } from './segmentation.ts';
export type { TextCNNArgs } from './text_cnn.ts';
export type { TransformerArgs, ViTTinyArgs } from './transformer.ts';
export type { VAEArgs } from './vae.ts';
export type { DropoutTopArgs } from './vgg.ts';
export type { TinyYOLOArgs } from './yolo.ts';

import { DCGANDiscriminator, DCGANGenerator } from './dcgan.ts';
import { DenseNet121 } from './densenet.ts';
import { EfficientNetB0 } from './efficientnet.ts';
import { GoogLeNet, InceptionV3 } from './inception.ts';
import { MobileNet, MobileNetV2 } from './mobilenet.ts';
import { preprocessInput } from './preprocess.ts';
import { ResNet101, ResNet101V2, ResNet18, ResNet18V2, ResNet50, ResNet50V2, SEResNet50 } from './residual.ts';
import { FCN8s, UNet } from './segmentation.ts';
import { TextCNN } from './text_cnn.ts';
import { Transformer, ViTTiny } from './transformer.ts';
import { VAE } from './vae.ts';
import { AlexNet, LeNet5, VGG16, VGG19 } from './vgg.ts';
import { TinyYOLO } from './yolo.ts';

/** tf.applications */
export const applications = {
  AlexNet,
  DCGANDiscriminator,
  DCGANGenerator,
  DenseNet121,
  EfficientNetB0,
  FCN8s,
  GoogLeNet,
  InceptionV3,
  LeNet5,
  MobileNet,
  MobileNetV2,
  ResNet101,
  ResNet101V2,
  ResNet18,
  ResNet18V2,
  ResNet50,
  ResNet50V2,
  SEResNet50,
  TextCNN,
  TinyYOLO,
  Transformer,
  UNet,
  VAE,
  VGG16,
  VGG19,
  ViTTiny,
  preprocessInput,
};

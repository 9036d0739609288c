/** The names that both entries export: what users import. */
export * from './tensor/index.ts';
export * from './nn/index.ts';
export * from './applications/index.ts';
export * from './data/index.ts';
export * from './io/index.ts';
export { version } from './version.ts';

import { BackupAndRestore, type BackupAndRestoreArgs } from './io/index.ts';
import { configuredLosses, fitCallbacks } from './nn/index.ts';
import { losses as functions } from './tensor/index.ts';

/** tf.losses: TensorFlow.js's functions of tensors, and losses with arguments for model.compile. */
export const losses = { ...functions, ...configuredLosses };

/** tf.callbacks: those of training, and what needs files. */
export const callbacks = {
  ...fitCallbacks,
  backupAndRestore: (args: BackupAndRestoreArgs): BackupAndRestore => new BackupAndRestore(args),
};

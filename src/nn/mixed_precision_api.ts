/** tf.mixedPrecision. */
import { DTypePolicy, globalPolicy, setGlobalPolicy } from './mixed_precision.ts';
import { LossScaleOptimizer } from './optimizers/loss_scale.ts';

export const mixedPrecision = { DTypePolicy, globalPolicy, setGlobalPolicy, LossScaleOptimizer } as const;

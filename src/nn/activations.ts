/** Activation functions by name. A layer holds one row of this table; losses ask its name to take a stable formula. */
import {
  add,
  div,
  abs as absolute,
  clipByValue,
  elu,
  erf,
  logSoftmax,
  mul,
  relu,
  relu6,
  selu,
  sigmoid,
  softmax,
  softplus,
  type Tensor,
  tanh,
} from '../tensor/index.ts';
import { isSerializedObject } from './keras_config.ts';
import { failUnknownName, toCamelCase } from './naming.ts';

const functions = {
  linear: (x: Tensor): Tensor => x,
  relu: (x: Tensor): Tensor => relu(x),
  relu6: (x: Tensor): Tensor => relu6(x),
  elu: (x: Tensor): Tensor => elu(x),
  selu: (x: Tensor): Tensor => selu(x),
  sigmoid: (x: Tensor): Tensor => sigmoid(x),
  /** clip(0.2 x + 0.5, 0, 1) */
  hardSigmoid: (x: Tensor): Tensor => clipByValue(add(mul(x, 0.2), 0.5), 0, 1),
  softplus: (x: Tensor): Tensor => softplus(x),
  /** x / (1 + |x|) */
  softsign: (x: Tensor): Tensor => div(x, add(absolute(x), 1)),
  tanh: (x: Tensor): Tensor => tanh(x),
  softmax: (x: Tensor): Tensor => softmax(x),
  logSoftmax: (x: Tensor): Tensor => logSoftmax(x),
  /** x sigmoid(x) */
  swish: (x: Tensor): Tensor => mul(x, sigmoid(x)),
  /** x tanh(softplus(x)) */
  mish: (x: Tensor): Tensor => mul(x, tanh(softplus(x))),
  /** x Phi(x), with the error function */
  gelu: (x: Tensor): Tensor => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1)),
  /** the tanh form of gelu: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
  gelu_new: (x: Tensor): Tensor => {
    const inner = mul(mul(x, add(mul(mul(x, x), 0.044715), 1)), Math.sqrt(2 / Math.PI));
    return mul(mul(x, 0.5), add(tanh(inner), 1));
  },
} satisfies Record<string, (x: Tensor) => Tensor>;

export type ActivationIdentifier = keyof typeof functions;

export interface Activation {
  readonly name: ActivationIdentifier;
  apply(x: Tensor): Tensor;
}

const rows = new Map<string, Activation>(
  (Object.keys(functions) as ActivationIdentifier[]).map((name) => [name, { name, apply: functions[name] }]),
);
const aliases: Record<string, ActivationIdentifier> = { silu: 'swish', geluNew: 'gelu_new' };

export const activationNames: readonly string[] = [...rows.keys()];

/** The activation called `identifier` (camelCase or snake_case); nothing means linear. */
export function getActivation(op: string, identifier: unknown): Activation {
  if (identifier === null || identifier === undefined) return rows.get('linear')!;
  const name = isSerializedObject(identifier) ? identifier.className : identifier;
  if (typeof name === 'string') {
    const camel = toCamelCase(name);
    const row = rows.get(name) ?? rows.get(camel) ?? rows.get(aliases[camel] ?? '');
    if (row) return row;
  }
  failUnknownName(op, 'activation', name, activationNames);
}

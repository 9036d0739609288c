/** Special functions and mpmath's values of them, by the names of the fixture's lists. */
import { readFileSync } from 'node:fs';
import type { Value } from '../../src/graph/graph.ts';
import { constantLike } from '../../src/ops/build.ts';
import * as c from '../../src/ops/composite.ts';

export type Unary = (x: Value) => Value;

const functions = {
  lgamma: c.lgamma,
  lgammaNegative: c.lgamma,
  digamma: c.digamma,
  digammaNegative: c.digamma,
  trigamma: (x: Value) => c.polygamma(1, x),
  polygamma2: (x: Value) => c.polygamma(2, x),
  polygamma5: (x: Value) => c.polygamma(5, x),
  zeta3: (x: Value) => c.zeta(constantLike(x, 3), x),
  'zeta1.25': (x: Value) => c.zeta(constantLike(x, 1.25), x),
  erfc: c.erfc,
  erfcx: c.erfcx,
  erfInv: c.erfInverse,
  normalCdf: c.normalCdf,
  besselI0: c.besselI0,
  besselI1: c.besselI1,
  besselI0e: c.besselI0e,
  besselI1e: c.besselI1e,
  besselK0: c.besselK0,
  besselK1: c.besselK1,
  besselK0e: c.besselK0e,
  besselK1e: c.besselK1e,
  besselJ0: c.besselJ0,
  besselJ1: c.besselJ1,
  besselY0: c.besselY0,
  besselY1: c.besselY1,
} satisfies { readonly [name: string]: Unary };

export type Special = keyof typeof functions;

/** How far from the truth each may be; where a function has zeros, errors below the floor do not count. */
export type Limits = { readonly [name in Special]: { readonly limit: number; readonly floor?: number } };

const fixture = JSON.parse(readFileSync(new URL('fixtures/special-values.json', import.meta.url), 'utf8')) as {
  readonly [name in Special]: readonly (number | string)[];
};

/** Each function with its true values, by argument. */
export function specialCases(limits: Limits) {
  return (Object.keys(functions) as Special[]).map((name) => {
    const list = fixture[name];
    const truth = new Map<number, number>();
    for (let i = 0; i < list.length; i += 2) truth.set(list[i] as number, Number(list[i + 1]));
    return { name, f: functions[name] as Unary, truth, ...limits[name] };
  });
}

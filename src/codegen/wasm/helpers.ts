/** Functions of every module that asks for them: what the IR's integer division means where wasm's would trap or round otherwise. */
import { FunctionWriter } from './encoder.ts';

type Integer = 'i32' | 'i64';

/** (a, b) -> floor(a / b); 0 where b is 0; a wrapping negation where b is -1. */
export function floorDivideFunction(type: Integer, listed: boolean): FunctionWriter {
  const w = new FunctionWriter('floor of a quotient', [type, type], [type], listed);
  const quotient = w.local(type);
  const rest = w.local(type);
  unlessTrivial(w, type, () => {
    constant(w, type, 0);
    w.get(0);
    w.op(`${type}.sub`);
  });
  w.get(0);
  w.get(1);
  w.op(`${type}.div_s`);
  w.tee(quotient);
  // One less where there is a rest of the other sign than b.
  w.get(0);
  w.get(quotient);
  w.get(1);
  w.op(`${type}.mul`);
  w.op(`${type}.sub`);
  w.set(rest);
  isOfOtherSign(w, type, rest);
  if (type === 'i64') w.op('i64.extend_i32_u');
  w.op(`${type}.sub`);
  return w;
}

/** (a, b) -> a - b * floor(a / b). */
export function floorModuloFunction(type: Integer, listed: boolean): FunctionWriter {
  const w = new FunctionWriter('rest of a floor division', [type, type], [type], listed);
  const rest = w.local(type);
  unlessTrivial(w, type, () => constant(w, type, 0));
  w.get(0);
  w.get(1);
  w.op(`${type}.rem_s`);
  w.tee(rest);
  w.get(1);
  constant(w, type, 0);
  isOfOtherSign(w, type, rest);
  w.op('select');
  w.op(`${type}.add`);
  return w;
}

/** 1 where the rest is not 0 and has another sign than b, else 0; an i32 in any case. */
function isOfOtherSign(w: FunctionWriter, type: Integer, rest: number): void {
  w.get(rest);
  constant(w, type, 0);
  w.op(`${type}.ne`);
  w.get(rest);
  w.get(1);
  w.op(`${type}.xor`);
  constant(w, type, type === 'i32' ? 31 : 63);
  w.op(`${type}.shr_u`);
  if (type === 'i64') w.op('i32.wrap_i64');
  w.op('i32.and');
}

/** Returns 0 for the divisor 0 and what `minusOne` pushes for -1, the two that trap or overflow. */
function unlessTrivial(w: FunctionWriter, type: Integer, minusOne: () => void): void {
  w.get(1);
  w.op(`${type}.eqz`);
  w.open('if');
  constant(w, type, 0);
  w.op('return');
  w.op('end');
  w.get(1);
  constant(w, type, -1);
  w.op(`${type}.eq`);
  w.open('if');
  minusOne();
  w.op('return');
  w.op('end');
}

function constant(w: FunctionWriter, type: Integer, value: number): void {
  if (type === 'i32') w.i32(value);
  else w.i64(value);
}

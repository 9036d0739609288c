/** Functions of every module that asks for them: what the IR's integer division means where wasm's would trap or round otherwise. */
import { FunctionWriter } from './encoder.ts';

/** (a, b) -> floor(a / b); 0 where b is 0; a wrapping negation where b is -1. */
export function floorDivideFunction(listed: boolean): FunctionWriter {
  const w = new FunctionWriter('floor of a quotient', ['i32', 'i32'], ['i32'], listed);
  const quotient = w.local('i32');
  const rest = w.local('i32');
  unlessTrivial(w, () => {
    w.i32(0);
    w.get(0);
    w.op('i32.sub');
  });
  w.get(0);
  w.get(1);
  w.op('i32.div_s');
  w.tee(quotient);
  // One less where there is a rest of the other sign than b.
  w.get(0);
  w.get(quotient);
  w.get(1);
  w.op('i32.mul');
  w.op('i32.sub');
  w.tee(rest);
  w.i32(0);
  w.op('i32.ne');
  w.get(rest);
  w.get(1);
  w.op('i32.xor');
  w.i32(31);
  w.op('i32.shr_u');
  w.op('i32.and');
  w.op('i32.sub');
  return w;
}

/** (a, b) -> a - b * floor(a / b); 0 where b is 0. */
export function floorModuloFunction(listed: boolean): FunctionWriter {
  const w = new FunctionWriter('rest of a floor division', ['i32', 'i32'], ['i32'], listed);
  const rest = w.local('i32');
  unlessTrivial(w, () => w.i32(0));
  w.get(0);
  w.get(1);
  w.op('i32.rem_s');
  w.tee(rest);
  w.get(1);
  w.i32(0);
  w.get(rest);
  w.i32(0);
  w.op('i32.ne');
  w.get(rest);
  w.get(1);
  w.op('i32.xor');
  w.i32(31);
  w.op('i32.shr_u');
  w.op('i32.and');
  w.op('select');
  w.op('i32.add');
  return w;
}

/** Returns 0 for the divisor 0 and what `minusOne` pushes for -1, the two that trap or overflow. */
function unlessTrivial(w: FunctionWriter, minusOne: () => void): void {
  w.get(1);
  w.op('i32.eqz');
  w.open('if');
  w.i32(0);
  w.op('return');
  w.op('end');
  w.get(1);
  w.i32(-1);
  w.op('i32.eq');
  w.open('if');
  minusOne();
  w.op('return');
  w.op('end');
}

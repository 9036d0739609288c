/**
 * What is known about loop variables, and from it the least and greatest value of an affine expression: the arithmetic behind
 * the verifier's proofs. Inequalities over integers, projected onto the outer variables one after the other (Fourier and
 * Motzkin). Sound, and complete enough for loop nests; where it cannot tell, it answers with too wide a range. Knows no buffers.
 */
import type { Affine, Loop, LoopVar } from './ir.ts';
import { plus, shift, times } from './ir.ts';

export interface Range {
  readonly min: number;
  readonly max: number;
}

const unknown: Range = { min: -Infinity, max: Infinity };

/** coef * v <= at (an upper bound) or coef * v >= at (a lower one), where coef > 0 and `at` is over outer variables. */
interface Bound {
  readonly coef: number;
  readonly at: Affine;
}

interface Variable {
  readonly v: LoopVar;
  readonly depth: number;
  /** Numbers that hold for any outer variables: the quick answer. */
  readonly range: Range;
  readonly uppers: Bound[];
  readonly lowers: Bound[];
  /** v is residue plus a multiple of modulus. */
  readonly modulus: number;
  readonly residue: number;
  /** Bounds of outer variables that hold inside of this loop only: lists to shorten when it is left. */
  readonly borrowed: Bound[][];
}

/** scale * (what is sought) <= offset + sum of coefs[depth] * (the variable at that depth). */
interface Form {
  readonly scale: number;
  readonly offset: number;
  readonly coefs: readonly number[];
}

/** Numbers beyond this are not computed with, so that every sum and product that counts is exact. */
const exactLimit = 2 ** 52;

/** Forms kept while a variable is eliminated; dropping one only widens the answer. */
const maxForms = 48;

export class Bounds {
  readonly #stack: Variable[] = [];
  readonly #byId = new Map<number, Variable>();

  knows(v: LoopVar): boolean {
    return this.#byId.has(v.id);
  }

  enterRegion(v: LoopVar, extent: number): void {
    const max = Math.max(extent, 1) - 1;
    this.#enter(v, { min: 0, max }, [bound(0)], [bound(max)], 1, 0);
  }

  /** Opens the scope of a loop. False where the loop provably never runs: then nothing in it can be proven, or needs to be. */
  enterLoop(loop: Loop): boolean {
    const gaps: Affine[] = [];
    for (const lo of loop.lo) {
      for (const hi of loop.hi) gaps.push(shift(plus(hi, times(lo, -1)), -1));
    }
    const runs = gaps.every((gap) => this.max(gap) >= 0);
    const residue = this.#commonResidue(loop);
    const uppers = loop.hi.map((hi) => ({ coef: 1, at: shift(hi, -1 - this.#missed(loop, hi)) }));
    const lowers = loop.lo.map((at) => ({ coef: 1, at }));
    const range = {
      min: Math.max(...lowers.map(({ at }) => this.quick(at).min)),
      max: Math.min(...uppers.map(({ at }) => this.quick(at).max)),
    };
    const borrowed = runs ? this.#borrow(gaps) : [];
    this.#enter(loop.v, range, lowers, uppers, residue === null ? 1 : loop.step, residue ?? 0, borrowed);
    return runs;
  }

  leave(): void {
    const left = this.#stack.pop();
    if (!left) return;
    this.#byId.delete(left.v.id);
    for (const list of left.borrowed) list.pop();
  }

  /** From the variables' numeric ranges alone. */
  quick(at: Affine): Range {
    let min = at.offset;
    let max = at.offset;
    for (const { v, coef } of at.terms) {
      const range = this.#byId.get(v.id)?.range ?? unknown;
      const atMin = coef * range.min;
      const atMax = coef * range.max;
      min += coef > 0 ? atMin : atMax;
      max += coef > 0 ? atMax : atMin;
      if (Math.max(Math.abs(atMin), Math.abs(atMax), Math.abs(min), Math.abs(max)) > exactLimit) return unknown;
    }
    return { min, max };
  }

  min(at: Affine): number {
    return 0 - this.max(times(at, -1)); // never -0
  }

  /** The least upper bound that can be derived. */
  max(at: Affine): number {
    const quick = this.quick(at).max;
    if (at.terms.length === 0) return quick;
    let forms: Form[] = [this.#form(at)];
    for (let depth = this.#stack.length - 1; depth >= 0; depth--) forms = eliminate(forms, this.#stack[depth], this);
    return forms.reduce((best, form) => Math.min(best, Math.floor(form.offset / form.scale)), quick);
  }

  /** Puts scale * (what is sought) <= form, with c * v in it, together with a bound on v. Null where it cannot be exact. */
  combine(form: Form, c: number, depth: number, { coef, at }: Bound): Form | null {
    const coefs = form.coefs.map((other) => other * coef);
    coefs[depth] = 0;
    for (const term of at.terms) {
      const added = c * term.coef;
      if (!isExact(added)) return null;
      coefs[this.#depth(term.v)] += added;
    }
    const offset = form.offset * coef;
    if (!isExact(offset) || !isExact(c * at.offset)) return null;
    return reduced(form.scale * coef, offset + c * at.offset, coefs);
  }

  #form(at: Affine): Form {
    const coefs = this.#stack.map(() => 0);
    for (const { v, coef } of at.terms) coefs[this.#depth(v)] += coef;
    return { scale: 1, offset: at.offset, coefs };
  }

  #depth(v: LoopVar): number {
    return this.#byId.get(v.id)!.depth;
  }

  #enter(
    v: LoopVar,
    range: Range,
    lowers: Bound[],
    uppers: Bound[],
    modulus: number,
    residue: number,
    borrowed: Bound[][] = [],
  ): void {
    const variable = { v, depth: this.#stack.length, range, lowers, uppers, modulus, residue, borrowed };
    this.#stack.push(variable);
    this.#byId.set(v.id, variable);
  }

  /** The loop's first value modulo its step, if it is known and the same for every lower bound. */
  #commonResidue(loop: Loop): number | null {
    return common(loop.lo.map((lo) => this.#residue(lo, loop.step)));
  }

  /** How far below hi - 1 the last value stays because of the step. */
  #missed(loop: Loop, hi: Affine): number {
    return common(loop.lo.map((lo) => this.#residue(shift(plus(hi, times(lo, -1)), -1), loop.step))) ?? 0;
  }

  #residue(at: Affine, modulus: number): number | null {
    let sum = modulo(at.offset, modulus);
    for (const { v, coef } of at.terms) {
      const known = this.#byId.get(v.id);
      if (!known || (coef * known.modulus) % modulus !== 0) return null;
      sum = modulo(sum + coef * known.residue, modulus);
    }
    return sum;
  }

  /** Inside of the loop each gap is >= 0, which says something about outer variables: add it to the innermost one. */
  #borrow(gaps: readonly Affine[]): Bound[][] {
    const lists: Bound[][] = [];
    for (const gap of gaps) {
      if (gap.terms.length === 0 || this.min(gap) >= 0) continue;
      const inner = gap.terms.reduce((a, b) => (this.#depth(b.v) > this.#depth(a.v) ? b : a));
      const rest: Affine = { offset: gap.offset, terms: gap.terms.filter((term) => term !== inner) };
      const variable = this.#stack[this.#depth(inner.v)];
      const list = inner.coef > 0 ? variable.lowers : variable.uppers;
      list.push({ coef: Math.abs(inner.coef), at: inner.coef > 0 ? times(rest, -1) : rest });
      lists.push(list);
    }
    return lists;
  }
}

/** The forms without the variable: each with every bound of it, and with each other where its signs differ. */
function eliminate(forms: readonly Form[], variable: Variable, bounds: Bounds): Form[] {
  const { depth, uppers, lowers } = variable;
  const next: Form[] = [];
  const keep = (form: Form | null): void => {
    if (form && next.length < maxForms) next.push(form);
  };
  for (const form of forms) {
    const c = form.coefs[depth];
    if (c === 0) keep(form);
    else for (const limit of c > 0 ? uppers : lowers) keep(bounds.combine(form, c, depth, limit));
  }
  for (const up of forms) {
    if (up.coefs[depth] <= 0) continue;
    for (const down of forms) {
      if (down.coefs[depth] < 0) keep(added(up, -down.coefs[depth], down, up.coefs[depth]));
    }
  }
  return next;
}

function added(a: Form, byA: number, b: Form, byB: number): Form | null {
  const sum = (x: number, y: number): number => (isExact(x * byA) && isExact(y * byB) ? x * byA + y * byB : Infinity);
  return reduced(
    sum(a.scale, b.scale),
    sum(a.offset, b.offset),
    a.coefs.map((coef, i) => sum(coef, b.coefs[i])),
  );
}

/** Divided by what scale and coefs share; everything is an integer, so the offset may be rounded down. */
function reduced(scale: number, offset: number, coefs: readonly number[]): Form | null {
  if (!isExact(scale) || !isExact(offset) || !coefs.every(isExact)) return null;
  const divisor = scale === 1 ? 1 : coefs.reduce((g, coef) => gcd(g, Math.abs(coef)), scale);
  if (divisor === 1) return { scale, offset, coefs };
  return { scale: scale / divisor, offset: Math.floor(offset / divisor), coefs: coefs.map((coef) => coef / divisor) };
}

function isExact(value: number): boolean {
  return Math.abs(value) <= exactLimit;
}

function bound(offset: number): Bound {
  return { coef: 1, at: { offset, terms: [] } };
}

/** What all are, if they are one thing. */
function common([first, ...others]: readonly (number | null)[]): number | null {
  return others.every((other) => other === first) ? first : null;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function modulo(a: number, m: number): number {
  return ((a % m) + m) % m;
}

/** How a transform of n points is cut into passes, and the roots of unity that they need. Pure arithmetic. */

/** One Stockham pass: m butterflies of `radix` points for each of s interleaved transforms; n = radix * m * s. */
export interface Pass {
  readonly radix: number;
  readonly m: number;
  readonly s: number;
  /** Where its roots begin in the table. */
  readonly table: number;
}

/** Prime factors up to this one have a butterfly of their own; lengths with larger ones go another way (Bluestein's). */
export const LARGEST_RADIX = 13;

export function largestPrime(n: number): number {
  let rest = n;
  let largest = 1;
  for (let p = 2; p * p <= rest; p++) {
    while (rest % p === 0) {
      largest = p;
      rest /= p;
    }
  }
  return Math.max(largest, rest);
}

/** The least length from n on that has prime factors of at most 5, for which passes are cheapest. */
export function smoothLength(n: number): number {
  for (let length = Math.max(1, n); ; length++) if (largestPrime(length) <= 5) return length;
}

/** Eights first, so that from the second pass on a run of elements fills a vector; the remaining power of two in fours. */
function radicesOf(n: number): number[] {
  let twos = 0;
  let rest = n;
  for (; rest % 2 === 0 && rest > 0; rest /= 2) twos++;
  const radices: number[] = [];
  const eights = twos < 3 ? 0 : twos % 2 === 1 ? 1 : twos >= 6 ? 2 : 0;
  for (let i = 0; i < eights; i++) radices.push(8);
  for (twos -= 3 * eights; twos >= 2; twos -= 2) radices.push(4);
  if (twos === 1) radices.push(2);
  const odd: number[] = [];
  for (let p = 3; rest > 1; p += 2) {
    for (; rest % p === 0; rest /= p) odd.push(p);
  }
  return [...radices, ...odd.reverse()];
}

export function passesOf(n: number): Pass[] {
  const radices = n === 1 ? [1] : radicesOf(n);
  let s = 1;
  let table = 0;
  return radices.map((radix) => {
    const m = n / (s * radix);
    const pass: Pass = { radix, m, s, table };
    s *= radix;
    if (m > 1) table += 2 * (radix - 1) * m;
    return pass;
  });
}

/** e^(-2 pi i k / n) as [re, im], in double precision; exact where it is 1, -1, i or -i. */
export function rootOfUnity(k: number, n: number): [number, number] {
  // Brought into the first eighth of the circle, where sine and cosine are good to the last bit.
  let eighth = Math.floor(((k % n) * 8) / n);
  let angle = (2 * Math.PI * ((k % n) * 8 - eighth * n)) / (8 * n);
  let [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  if (eighth % 2 === 1) {
    angle = Math.PI / 4 - angle;
    [cos, sin] = [Math.sin(angle), Math.cos(angle)];
  }
  eighth = Math.floor(eighth / 2);
  if (eighth === 1) [cos, sin] = [-sin, cos];
  else if (eighth === 2) [cos, sin] = [-cos, -sin];
  else if (eighth === 3) [cos, sin] = [sin, -cos];
  return [cos, -sin];
}

/** What was made lately, so that the kernels of a program share one table. */
type Table = Float32Array | Float64Array;

const recent = new Map<string, Table>();
const RECENT = 64;

/** A table in double precision, or rounded once to float32. */
export function cachedTable(name: string, wide: boolean, make: () => Float64Array): Table {
  const key = `${name} ${wide}`;
  let table = recent.get(key);
  if (table) recent.delete(key);
  else table = wide ? make() : Float32Array.from(make());
  recent.set(key, table);
  for (const oldest of recent.keys()) {
    if (recent.size <= RECENT) break;
    recent.delete(oldest);
  }
  return table;
}

/** For each pass, for k = 1..radix-1: real parts of w^(p k) for p < m, then imaginary parts. */
export function twiddlesOf(n: number, wide: boolean): Table {
  return cachedTable(`twiddles ${n}`, wide, () => {
    const passes = passesOf(n).filter((pass) => pass.m > 1);
    const size = passes.reduce((sum, { radix, m }) => sum + 2 * (radix - 1) * m, 0);
    const table = new Float64Array(Math.max(1, size));
    for (const { radix, m, table: start } of passes) {
      for (let k = 1; k < radix; k++) {
        for (let p = 0; p < m; p++) {
          const at = start + 2 * (k - 1) * m + p;
          [table[at], table[at + m]] = rootOfUnity(p * k, radix * m);
        }
      }
    }
    return table;
  });
}

/** j^2 mod order, exactly. */
export function chirpExponent(j: number, order: number): number {
  return j < 2 ** 26 ? (j * j) % order : Number((BigInt(j) * BigInt(j)) % BigInt(order));
}

/** The transform, over a period of `length`, of e^(+2 pi i j^2 / order) for |j| < order / 2 and 0 elsewhere; in double precision. */
export function chirpSpectrum(order: number, length: number): [Float64Array, Float64Array] {
  const [re, im] = [new Float64Array(length), new Float64Array(length)];
  for (let j = 0; j < order / 2; j++) {
    const [cos, minusSin] = rootOfUnity(chirpExponent(j, order), order);
    for (const at of [j, (length - j) % length]) {
      re[at] = cos;
      im[at] = -minusSin;
    }
  }
  return transformDouble(re, im);
}

/** The transform in double precision, by splitting off the smallest prime factor again and again. */
export function transformDouble(re: Float64Array, im: Float64Array): [Float64Array, Float64Array] {
  const n = re.length;
  const roots = Array.from({ length: n }, (_, k) => rootOfUnity(k, n));
  const out: [Float64Array, Float64Array] = [new Float64Array(n), new Float64Array(n)];
  const visit = (from: number, step: number, count: number, to: number): void => {
    if (count === 1) {
      out[0][to] = re[from];
      out[1][to] = im[from];
      return;
    }
    let radix = 2;
    while (count % radix !== 0) radix++;
    const part = count / radix;
    for (let r = 0; r < radix; r++) visit(from + r * step, step * radix, part, to + r * part);
    const [a, b] = [new Float64Array(radix), new Float64Array(radix)];
    for (let k = 0; k < part; k++) {
      for (let r = 0; r < radix; r++) {
        a[r] = out[0][to + r * part + k];
        b[r] = out[1][to + r * part + k];
      }
      for (let q = 0; q < radix; q++) {
        let [x, y] = [0, 0];
        for (let r = 0; r < radix; r++) {
          const [c, s] = roots[(r * (k + q * part) * step) % n];
          x += a[r] * c - b[r] * s;
          y += a[r] * s + b[r] * c;
        }
        out[0][to + q * part + k] = x;
        out[1][to + q * part + k] = y;
      }
    }
  };
  visit(0, 1, n, 0);
  return out;
}

/** Functions that JavaScript lacks, in double precision, for the reference evaluation. */

export const log1p = Math.log1p;
export const expm1 = Math.expm1;

/** Error function: the Taylor series near 0, a continued fraction for erfc beyond; about 1e-15. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    // erf(x) = 2/sqrt(pi) * e^(-x^2) * sum of 2^n x^(2n+1) / (2n+1)!!, whose terms are all positive.
    let term = z;
    let sum = z;
    for (let n = 1; n < 100 && term > sum * 1e-17; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      sum += term;
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
  }
  // erfc(z) = e^(-z^2) / sqrt(pi) / (z + (1/2) / (z + 1 / (z + (3/2) / (z + ...)))).
  let fraction = z;
  for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction);
}

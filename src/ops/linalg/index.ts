/** The rows of linear algebra. */
import { choleskyRows } from './cholesky.ts';
import { eigRows } from './eig.ts';
import { eighRows } from './eigh.ts';
import { luRows } from './lu.ts';
import { qrRows } from './qr.ts';
import { svdRows } from './svd.ts';
import { triangularRows } from './triangular.ts';

export const linalgRows = {
  ...choleskyRows,
  ...triangularRows,
  ...luRows,
  ...qrRows,
  ...eigRows,
  ...eighRows,
  ...svdRows,
};

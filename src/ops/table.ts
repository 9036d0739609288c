/** THE TABLE: every op is one row, each family in its own file. Shared code asks the row, never the op's name. */
import { InternalError } from '../base/errors.ts';
import { attentionRows } from './attention.ts';
import { binaryRows, comparisonRows } from './binary.ts';
import { bitwiseRows } from './bitwise.ts';
import { branchRows } from './branches.ts';
import { convRows } from './conv.ts';
import { dynamicSliceRows } from './dynamic-slice.ts';
import { fftRows } from './fft.ts';
import { cumulateRows } from './cumulate.ts';
import { gatherRows } from './gather.ts';
import { linalgRows } from './linalg/index.ts';
import { matMulRows } from './matmul.ts';
import { momentsRows } from './moments.ts';
import { pieceRows, reshapeRows, viewRows } from './movement.ts';
import { poolRows } from './pool.ts';
import { randomRows } from './random.ts';
import { ravelRows } from './ravel.ts';
import { reduceRows, searchRows } from './reduce.ts';
import { resampleRows } from './resample.ts';
import type { OpRow } from './row.ts';
import { scatterRows } from './scatter.ts';
import { scanRows } from './scan.ts';
import { samplingRows } from './sampling.ts';
import { selectRows } from './select.ts';
import { searchSortedRows } from './search-sorted.ts';
import { sortRows } from './sort.ts';
import { sourceRows } from './source.ts';
import { unaryRows } from './unary.ts';

export const table = {
  ...sourceRows,
  ...unaryRows,
  ...binaryRows,
  ...comparisonRows,
  ...bitwiseRows,
  ...selectRows,
  ...viewRows,
  ...reshapeRows,
  ...pieceRows,
  ...reduceRows,
  ...searchRows,
  ...gatherRows,
  ...scatterRows,
  ...cumulateRows,
  ...sortRows,
  ...searchSortedRows,
  ...ravelRows,
  ...dynamicSliceRows,
  ...poolRows,
  ...momentsRows,
  ...resampleRows,
  ...matMulRows,
  ...linalgRows,
  ...attentionRows,
  ...convRows,
  ...randomRows,
  ...samplingRows,
  ...fftRows,
  ...scanRows,
  ...branchRows,
} satisfies Record<string, OpRow>;

export type OpKind = keyof typeof table;

export function isOpKind(kind: string): kind is OpKind {
  return Object.hasOwn(table, kind);
}

/** The row of an op; asking for one that is not there is a bug of ours. */
export function rowOf(kind: string): OpRow {
  if (isOpKind(kind)) return table[kind];
  throw new InternalError(`internal: the op table has no row '${kind}'; this is a bug in tensorloom, please report it`);
}

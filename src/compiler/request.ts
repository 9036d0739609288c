/** What the session asks of the compiler. */
import type { Value } from '../graph/graph.ts';
import type { Capabilities } from '../kernel/capabilities.ts';

export interface CompileRequest {
  readonly name: string;
  /** Outputs of 'parameter' operations, in the order in which run takes their storages. */
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** outputs[i] may overwrite the storage of inputs[j]: donations.get(i) === j. */
  readonly donations: ReadonlyMap<number, number>;
  /** Indices of inputs that are expected to be the same from run to run (weights that the program only reads). Default: none. */
  readonly steady?: ReadonlySet<number>;
  readonly capabilities: Capabilities;
}

/** A graph once more on other inputs: what checkpoint recomputes, and how a linear map is applied to something else. */
import { Operation } from '../graph/graph.ts';
import type { Value } from '../graph/graph.ts';
import { withGradients } from '../ops/custom.ts';
import type { CustomGradient } from '../ops/custom.ts';
import { GraphMap } from './graph-map.ts';
import { newestId, severUnread } from './unread.ts';

export class Copy extends GraphMap {
  /** Says what stands in the place of a value. */
  replace(value: Value, by: Value): void {
    this.set(value, by);
  }

  /** The values on the new inputs; those that do not depend on them themselves. */
  all(values: readonly Value[]): Value[] {
    return this.of(values).map((copy, i) => copy ?? values[i]);
  }

  protected apply(op: Operation, inputs: readonly (Value | null)[]): readonly Value[] {
    const operands = op.inputs.map((input, i) => inputs[i] ?? input);
    return new Operation(op.kind, operands, op.attrs, op.outputs).outputs;
  }

  protected applyCustom(custom: CustomGradient): readonly Value[] {
    const values = this.all(custom.outputs.map((output) => output.op.inputs[0]));
    const inputs = custom.inputs.map((input) => this.get(input) ?? input);
    return withGradients(values, inputs, (dys) => {
      const newest = newestId();
      // The gradients that come belong to the copy already.
      for (const dy of dys) if (dy !== null) this.set(dy, null);
      const dxs = custom.backward(dys);
      const copies = this.of(dxs.filter((dx) => dx !== null));
      const results = dxs.map((dx) => dx && (copies.shift() ?? dx));
      severUnread(
        dxs.filter((dx) => dx !== null),
        new Set(results.filter((dx) => dx !== null)),
        newest,
      );
      return results;
    });
  }
}

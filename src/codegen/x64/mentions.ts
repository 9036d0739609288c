/** Which registers an item of the list names, and what it does with them. */
import type { Item } from './lir.ts';
import type { Register } from './operands.ts';

/** Calls visit for every register that an item mentions, with r (read), w (written) or x (both). */
export function mentions(item: Item, visit: (r: Register, role: string) => void): void {
  if (item.kind === 'entry') for (const arg of item.args) visit(arg.virtual, 'w');
  if (item.kind !== 'op') return;
  const { operands, roles } = item;
  for (let i = 0; i < operands.length; i++) {
    const o = operands[i];
    if (o.kind === 'reg') visit(o, roles[i]);
    else if (o.kind === 'mem') {
      if (o.base) visit(o.base, 'r');
      if (o.index) visit(o.index, 'r');
    }
  }
}

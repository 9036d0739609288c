/** What the suites over the op table share: the targets of this machine, and the count of what was compared, printed at the end. */
import { afterAll, beforeAll } from 'vitest';
import type { Target } from './targets.ts';
import { availableTargets } from './targets.ts';

export interface Count {
  /** There from the first test on. */
  targets: readonly Target[];
  comparisons: number;
}

export function counted(suite: string, rows: number, wanted: (target: Target) => boolean = () => true): Count {
  const count: Count = { targets: [], comparisons: 0 };
  beforeAll(async () => {
    count.targets = (await availableTargets()).filter(wanted);
  });
  afterAll(() => {
    const { targets, comparisons } = count;
    const names = targets.map((target) => target.name).join(', ');
    console.log(`${suite}: ${rows} rows x ${targets.length} targets (${names}), ${comparisons} comparisons`);
  });
  return count;
}

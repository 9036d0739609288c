/**
 * Functions that the built package loads when one of them is first called (scripts/deferred.js says which, and writes the
 * calls). Knows groups by their names and nothing of what is in them.
 */
import { InternalError } from './errors.ts';

/** A group's modules, each with its functions. */
export type DeferredGroup = Readonly<Record<string, Readonly<Record<string, (...args: unknown[]) => unknown>>>>;

const groups = new Map<string, DeferredGroup>();
let load: ((name: string) => DeferredGroup) | null = null;

/** Says how a group is loaded without waiting. */
export function setDeferredLoader(loader: (name: string) => DeferredGroup): void {
  load = loader;
}

/** Takes a group that was loaded beforehand. */
export function setDeferredGroup(name: string, group: DeferredGroup): void {
  groups.set(name, group);
}

/** The group, which is loaded now if this is its first use. */
export function deferred(name: string): DeferredGroup {
  const found = groups.get(name);
  if (found) return found;
  if (!load) {
    const what = `a function of the deferred group '${name}' is called while the package is imported`;
    throw new InternalError(`internal: ${what}; its module belongs into the list 'eager' of scripts/deferred.js`);
  }
  const group = load(name);
  groups.set(name, group);
  return group;
}

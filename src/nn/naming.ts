/** Names: snake and camel case as Keras and TensorFlow.js exchange them, unique names, and the nearest known name to a typo. */
import { fail } from '../base/errors.ts';

/** Conv2D -> conv2d, MaxPooling2D -> max_pooling2d, hardSigmoid -> hard_sigmoid. */
export function toSnakeCase(name: string): string {
  const snake = name
    .replace(/(.)([A-Z][a-z0-9]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
  return snake.startsWith('_') ? `private${snake}` : snake;
}

/** fan_avg -> fanAvg; a name without underscores stays as it is. */
export function toCamelCase(name: string): string {
  if (name.length <= 1 || !name.includes('_')) return name;
  return name.replace(/_+(\w|$)/g, (_, letter: string) => letter.toUpperCase());
}

const counters = new Map<string, number>();

function count(key: string): number {
  const next = (counters.get(key) ?? 0) + 1;
  counters.set(key, next);
  return next;
}

/** The name of a layer or model that got none: `dense_Dense1`, `sequential_1`. */
export function defaultLayerName(className: string): string {
  return `${toSnakeCase(className)}_${className}${count(className)}`;
}

export function defaultModelName(prefix: string): string {
  return `${prefix}_${count(prefix)}`;
}

/** A name no other variable of this process has: two models may both have a layer `dense`. */
export function uniqueVariableName(name: string): string {
  const uses = count(`variable:${name}`);
  return uses === 1 ? name : uniqueVariableName(`${name}_${uses - 1}`);
}

/** Names with a number behind those that come again: a, b, a_1. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let i = 1; seen.has(unique) || (unique !== name && taken.has(unique)); i++) unique = `${name}_${i}`;
    seen.add(unique);
    return unique;
  });
}

/** Letters put in, left out, replaced, or two that changed places, each counted as one. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    [before, row] = [row, next];
  }
  return row[b.length];
}

/** Up to three known names that look like `name`, best first, and of several spellings the first. */
export function nearestNames(name: string, known: readonly string[]): string[] {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const wanted = plain(name);
  const spellings = new Map([...known].reverse().map((candidate) => [plain(candidate), candidate]));
  return known
    .filter((candidate) => spellings.get(plain(candidate)) === candidate)
    .map((candidate) => {
      const other = plain(candidate);
      const contains = wanted !== '' && (other.includes(wanted) || wanted.includes(other));
      return { candidate, distance: contains ? 1 : editDistance(wanted, other) };
    })
    .filter(({ distance }) => distance <= Math.max(2, wanted.length / 2))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** Throws: `[op] unknown kind; got 'x'; did you mean ...?` */
export function failUnknownName(op: string, kind: string, name: unknown, known: readonly string[]): never {
  const near = typeof name === 'string' ? nearestNames(name, known) : [];
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : undefined;
  const all = `the known ones are ${known.join(', ')}`;
  fail(
    op,
    `${kind} must be a known name`,
    `got ${JSON.stringify(name) ?? String(name)}`,
    hint ? `${hint} ${all}` : all,
  );
}

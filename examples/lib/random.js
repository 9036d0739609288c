/** Chance for examples: the same numbers for the same seed. */

/** Numbers in [0, 1): mulberry32. @param {number} seed */
export function mulberry32(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The same, of seeds that may be neighbours. @param {number} seed */
export function randomNumbers(seed) {
  return mulberry32(seed * 2654435761);
}

/** Brings a list into another order (Fisher and Yates). @template T @param {{ [i: number]: T, length: number }} list @param {() => number} random */
export function shuffle(list, random) {
  for (let i = list.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [list[i], list[other]] = [list[other], list[i]];
  }
}

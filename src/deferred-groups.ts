/** Loads every group of deferred functions, where a bundle cannot be loaded at the moment it is needed. */

/** From source nothing is deferred; scripts/deferred.js writes what the built package has here. */
export async function loadDeferred(): Promise<void> {}

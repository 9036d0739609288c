/** Errors of two classes: what the user did (UserError) and what we did (InternalError). Knows nothing of tensors. */

export class TensorloomError extends Error {
  override name = 'TensorloomError';
}

/** A mistake in the caller's program or data. The message reads `[op] what must hold; what came; what to try`. */
export class UserError extends TensorloomError {
  override name = 'UserError';
}

/** A broken promise inside tensorloom: a bug of ours, never the caller's fault. */
export class InternalError extends TensorloomError {
  override name = 'InternalError';
}

/** Throws a UserError in the house form. `came` and `hint` may be left out where there is nothing to say. */
export function fail(op: string, must: string, came?: string, hint?: string): never {
  throw new UserError(`[${op}] ${[must, came, hint].filter(Boolean).join('; ')}`);
}

/** Runs `body`; a user's mistake in it is reported with where() behind it, unless a place like that is named already. */
export function placed<T>(where: () => string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const place = where();
    if (error.message.includes(`; ${place.split(' ', 3).join(' ')} `)) throw error;
    throw new UserError(`${error.message}; ${place}`, { cause: error });
  }
}

/** What every target says of a number from data that is outside of [0, bound). */
export function failIndex(op: string, what: string, bound: number, index: number): never {
  fail(op, `${what} must be in [0, ${bound})`, `got ${index}`, 'check the indices that are fed');
}

/** Throws an InternalError unless `condition` holds. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InternalError(`internal: ${message}; this is a bug in tensorloom, please report it`);
}

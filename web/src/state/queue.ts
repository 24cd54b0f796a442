// Work that must run in order.

/** Return a function that runs tasks one after another. A failed task does not stop later ones. */
export function sequential(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}

// Work that must not overtake: changes one after the other, or undo would take back the wrong one.

/** Does pieces of work one after the other, in the order they were asked for; one that fails keeps none waiting. */
export function sequential(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

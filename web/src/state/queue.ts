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

const ask = (event: Event): void => event.preventDefault();
const unsaved = new Set<Promise<unknown>>();

/** Mark work that saves answers of the user: until it ends, the browser asks before it leaves the page. */
export function unsavedUntil<T>(work: Promise<T>): Promise<T> {
  const result = work.finally(() => {
    unsaved.delete(result);
    if (!unsaved.size) globalThis.removeEventListener('beforeunload', ask);
  });
  if (!unsaved.size) globalThis.addEventListener('beforeunload', ask);
  unsaved.add(result);
  return result;
}

/** As `sequential`, for answers of the user. */
export function saving(): <T>(work: () => Promise<T>) => Promise<T> {
  const enqueue = sequential();
  return (work) => unsavedUntil(enqueue(work));
}

/** Read something that depends on answers, after no answer is left to save. */
export async function afterSaving<T>(read: () => Promise<T>): Promise<T> {
  while (unsaved.size) await Promise.allSettled(unsaved);
  return read();
}

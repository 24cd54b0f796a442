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

/** As `sequential`, for answers of the user: as long as one is not saved, the browser asks before it leaves the page. */
export function saving(): <T>(work: () => Promise<T>) => Promise<T> {
  const enqueue = sequential();
  let nUnsaved = 0;
  return async (work) => {
    if (nUnsaved++ === 0) globalThis.addEventListener('beforeunload', ask);
    try {
      return await enqueue(work);
    } finally {
      if (--nUnsaved === 0) globalThis.removeEventListener('beforeunload', ask);
    }
  };
}

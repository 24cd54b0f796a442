// Lists of names that are too long to look through.

export const MANY = 20; // of more, a field finds those that are sought

/** Those that hold every word that is sought, whatever its case; all where nothing is. */
export function matching<T>(all: readonly T[], nameOf: (item: T) => string, query: string): T[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((item) => {
    const name = nameOf(item).toLowerCase();
    return words.every((word) => name.includes(word));
  });
}

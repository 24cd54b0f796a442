// Search in long lists of names.

export const MANY = 20; // longer lists have a search field

/** The items whose names contain all words of the query, in any case; all items if it is empty. */
export function matching<T>(all: readonly T[], nameOf: (item: T) => string, query: string): T[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((item) => {
    const name = nameOf(item).toLowerCase();
    return words.every((word) => name.includes(word));
  });
}

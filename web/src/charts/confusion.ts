// Calculations on the counts of a confusion matrix.

/** Indices of the classes, those with the smallest share of right predictions first; those without images last. */
export function worstFirst(counts: readonly (readonly number[])[]): number[] {
  const recall = counts.map((row, k) => (row[k] ?? 0) / row.reduce((sum, n) => sum + n, 0));
  const rank = recall.map((share) => (Number.isNaN(share) ? 2 : share));
  return [...counts.keys()].sort((a, b) => rank[a]! - rank[b]!);
}

/** Indices of the classes that are confused most, in pairs, filled up with the first other classes. */
export function mostConfused(counts: readonly (readonly number[])[], most: number): number[] {
  const pairs = counts
    .flatMap((row, r) =>
      row.slice(r + 1).map((n, i) => ({ r, c: r + 1 + i, n: n + (counts[r + 1 + i]?.[r] ?? 0) })),
    )
    .filter(({ n }) => n > 0)
    .sort((a, b) => b.n - a.n);
  return [...new Set([...pairs.flatMap(({ r, c }) => [r, c]), ...counts.keys()])].slice(0, most);
}

/** The cell that an arrow key moves to, or null for other keys. */
export function neighbor(key: string, row: number, column: number, n: number): [number, number] | null {
  const within = (i: number) => Math.min(Math.max(i, 0), n - 1);
  switch (key) {
    case 'ArrowUp':
      return [within(row - 1), column];
    case 'ArrowDown':
      return [within(row + 1), column];
    case 'ArrowLeft':
      return [row, within(column - 1)];
    case 'ArrowRight':
      return [row, within(column + 1)];
    case 'Home':
      return [row, 0];
    case 'End':
      return [row, n - 1];
    default:
      return null;
  }
}

/**
 * PPV and NPV at this prevalence from 0 to 1 (Bayes’ theorem); null if no image is predicted as the class.
 */
export function predictiveValues(
  share: number,
  { sensitivity, specificity }: { sensitivity: number; specificity: number },
) {
  const positive = sensitivity * share + (1 - specificity) * (1 - share);
  return {
    ppv: positive > 0 ? (sensitivity * share) / positive : null,
    npv: positive < 1 ? (specificity * (1 - share)) / (1 - positive) : null,
  };
}

// Calculations on the counts of a confusion matrix.

/** Each count as a share of its row. */
export function rowShares(counts: readonly (readonly number[])[]): number[][] {
  return counts.map((row) => {
    const n = row.reduce((sum, c) => sum + c, 0);
    return row.map((c) => (n ? c / n : 0));
  });
}

/** The most frequent confusions. */
export function confusionPairs(
  classes: readonly string[],
  counts: readonly (readonly number[])[],
  most = 5,
): { label: string; predicted: string; n: number; share: number }[] {
  const shares = rowShares(counts);
  return counts
    .flatMap((row, r) =>
      row.map((n, c) => ({
        label: classes[r] ?? '',
        predicted: classes[c] ?? '',
        n: r === c ? 0 : n,
        share: shares[r]?.[c] ?? 0,
      })),
    )
    .filter((pair) => pair.n > 0)
    .sort((a, b) => b.n - a.n || b.share - a.share)
    .slice(0, most);
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

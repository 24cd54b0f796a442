/** A text without escapes such as `%20`, or null if an escape is invalid, such as `%zz`. */
export function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** The parameters of a pattern such as `/runs/:id` in a path, or null if it does not match. */
export function matchRoute(pattern: string, path: string): Record<string, string> | null {
  const parts = pattern.split('/').filter(Boolean);
  const pieces = path.split('/').filter(Boolean);
  if (parts.length !== pieces.length) return null;
  const parameters: Record<string, string> = {};
  for (const [i, piece] of parts.entries()) {
    const text = pieces[i] ?? '';
    if (!piece.startsWith(':')) {
      if (piece !== text) return null;
      continue;
    }
    const parameter = decoded(text);
    if (parameter === null) return null;
    parameters[piece.slice(1)] = parameter;
  }
  return parameters;
}

/** The tab that an address names; the first one if it names none of these. */
export function tabOf<Id extends string>(query: URLSearchParams, ids: readonly Id[]): Id {
  const named = query.get('tab');
  return ids.find((id) => id === named) ?? ids[0]!;
}

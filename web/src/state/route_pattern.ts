/** The parameters of a pattern such as `/runs/:id` in a path, or null if it does not match. */
export function matchRoute(pattern: string, path: string): Record<string, string> | null {
  const parts = pattern.split('/').filter(Boolean);
  const pieces = path.split('/').filter(Boolean);
  if (parts.length !== pieces.length) return null;
  const parameters: Record<string, string> = {};
  for (const [i, piece] of parts.entries()) {
    const text = pieces[i] ?? '';
    if (piece.startsWith(':')) parameters[piece.slice(1)] = decodeURIComponent(text);
    else if (piece !== text) return null;
  }
  return parameters;
}

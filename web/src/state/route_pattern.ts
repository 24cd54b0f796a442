/** The parameters of `pattern` (`/runs/:id`) in `path`, or null where it does not fit. */
export function matched(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split('/').filter(Boolean);
  const found = path.split('/').filter(Boolean);
  if (wanted.length !== found.length) return null;
  const parameters: Record<string, string> = {};
  for (const [i, piece] of wanted.entries()) {
    const text = found[i] ?? '';
    if (piece.startsWith(':')) parameters[piece.slice(1)] = decodeURIComponent(text);
    else if (piece !== text) return null;
  }
  return parameters;
}

// Changes of the sources of a dataset, while others change them too.

interface Source {
  path: string;
  domain: string | null;
}

const byPath = (sources: readonly Source[]) => new Map(sources.map(({ path, domain }) => [path, domain]));

/** The saved sources with the changes from `before` to `edited`. Others may have changed them since `before` was read. */
export function withChanges(
  saved: readonly Source[],
  before: readonly Source[],
  edited: readonly Source[],
): Source[] {
  const [domains, domainsBefore, edits] = [byPath(saved), byPath(before), byPath(edited)];
  const remaining = edited.filter(({ path }) => domains.has(path) || !domainsBefore.has(path));
  const added = saved.filter(({ path }) => !edits.has(path) && !domainsBefore.has(path));
  return [...remaining, ...added].map(({ path, domain }) => {
    const isRenamed = edits.has(path) && domain !== (domainsBefore.get(path) ?? null);
    return { path, domain: isRenamed || !domains.has(path) ? domain : domains.get(path)! };
  });
}

// A recipe as the form keeps it: one value for each dotted key, of which only what differs is sent.

export type Value = string | number | boolean | null | number[] | Record<string, string>;
export type Changes = Record<string, Value>;

export function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** `{'split.val': 0.1}` as `{split: {val: 0.1}}`. */
export function nested(changes: Changes): Record<string, unknown> {
  const recipe: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(changes)) {
    const parts = key.split('.');
    let at = recipe;
    for (const part of parts.slice(0, -1)) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[parts.at(-1) as string] = value;
  }
  return recipe;
}

/** The value of a dotted key in a nested recipe; undefined where it does not say. */
export function valueAt(recipe: Record<string, unknown>, key: string): unknown {
  let at: unknown = recipe;
  for (const part of key.split('.')) {
    if (at === null || typeof at !== 'object') return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}

/** The keys of `recipe` that differ from the defaults, dotted. */
export function differing(
  recipe: Record<string, unknown>,
  fields: readonly { key: string; default?: unknown }[],
): Changes {
  const changes: Changes = {};
  for (const field of fields) {
    const value = valueAt(recipe, field.key);
    if (value !== undefined && !same(value, field.default)) changes[field.key] = value as Value;
  }
  return changes;
}

/** `changes` with one more; a value that is the default is not kept. */
export function changed(changes: Changes, key: string, value: Value, fallback: unknown): Changes {
  const { [key]: _, ...rest } = changes;
  return same(value, fallback) ? rest : { ...rest, [key]: value };
}

/** What is wrong with each field of the form; what is wrong with a whole section stands at its first field. */
export function faultsOf(
  errors: readonly { field: string; message: string }[],
  keys: readonly string[],
): Map<string, string> {
  const faults = new Map<string, string>();
  for (const { field, message } of errors) {
    const key = keys.includes(field) ? field : keys.find((one) => one.startsWith(`${field}.`));
    if (key && !faults.has(key)) faults.set(key, message);
  }
  return faults;
}

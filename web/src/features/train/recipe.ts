// Recipes as a flat object with dotted keys. The form sends only values that differ from the defaults.

/** A value of a recipe key, as JSON. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value };
export type Changes = Readonly<Record<string, Value>>;

export function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** Convert `{'split.val': 0.1}` to `{split: {val: 0.1}}`. */
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

/** The value of a dotted key in a nested recipe; undefined if it is not set. */
export function valueAt(recipe: unknown, key: string): unknown {
  let at: unknown = recipe;
  for (const part of key.split('.')) {
    if (at === null || typeof at !== 'object') return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}

/** The values of a nested recipe with dotted keys, without keys that are not set. */
export function dotted(recipe: unknown, keys: readonly string[]): Changes {
  const entries = keys.map((key) => [key, valueAt(recipe, key)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Changes;
}

/** The values whose keys start with one of these prefixes. */
export function only(values: Changes, beginnings: readonly string[]): Changes {
  return Object.fromEntries(
    Object.entries(values).filter(([key]) => beginnings.some((beginning) => key.startsWith(beginning))),
  );
}

/** The values that differ from the defaults. */
export function differing(values: Changes, defaults: Changes): Changes {
  return Object.fromEntries(Object.entries(values).filter(([key, value]) => !same(value, defaults[key])));
}

/** `changes` with another value. A value that equals the default is removed. */
export function changed(changes: Changes, key: string, value: Value, fallback: unknown): Changes {
  const { [key]: _, ...rest } = changes;
  return same(value, fallback) ? rest : { ...rest, [key]: value };
}

/** Values with the differences between two others. */
export function withChanges(values: Changes, before: Changes, after: Changes): Changes {
  const isKept = (key: string) => same(before[key], after[key]);
  return {
    ...Object.fromEntries(Object.entries(values).filter(([key]) => isKept(key))),
    ...Object.fromEntries(Object.entries(after).filter(([key]) => !isKept(key))),
  };
}

/**
 * The settings of an earlier training that are copied. Settings about its images are copied only for the same
 * images. The groups of the dataset are not copied, unless the recipe itself names a column or pattern. The changes
 * that adapt a training to another laboratory are not copied: they do not fit other images.
 */
export function copiedSettings(recipe: unknown, keys: readonly string[], sameImages: boolean): Changes {
  const ofImages = (key: string) =>
    key === 'classes.order' ||
    key === 'split.run' || // a separate checkbox keeps the split
    key.startsWith('match.') ||
    (key === 'group' && valueAt(recipe, key) === null) ||
    (!sameImages && (key === 'group' || key.startsWith('classes.')));
  return dotted(
    recipe,
    keys.filter((key) => !ofImages(key)),
  );
}

/** Whether the threshold of a training was chosen after the training. It is valid for its classifier only. */
export function hasCustomThreshold(recipe: unknown, requested: unknown): boolean {
  const [now, before] = [recipe, requested].map((recipe) => [
    valueAt(recipe, 'decide_by'),
    valueAt(recipe, 'target'),
    valueAt(recipe, 'threshold'),
  ]);
  return now![0] !== 'highest' && !same(now, before);
}

export interface Fault {
  field: string;
  message: string;
  line?: number | null;
}

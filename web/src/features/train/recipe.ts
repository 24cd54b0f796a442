// A recipe as the form keeps it: one value for each dotted key, of which only what differs is sent.

/** Whatever a key holds, as JSON. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value };
export type Changes = Readonly<Record<string, Value>>;

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
export function valueAt(recipe: unknown, key: string): unknown {
  let at: unknown = recipe;
  for (const part of key.split('.')) {
    if (at === null || typeof at !== 'object') return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}

/** The values of a nested recipe, dotted; of keys that it says nothing of there is none. */
export function dotted(recipe: unknown, keys: readonly string[]): Changes {
  const entries = keys.map((key) => [key, valueAt(recipe, key)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Changes;
}

/** Of some values those whose keys begin so. */
export function only(values: Changes, beginnings: readonly string[]): Changes {
  return Object.fromEntries(
    Object.entries(values).filter(([key]) => beginnings.some((beginning) => key.startsWith(beginning))),
  );
}

/** Of some values those that differ from the defaults. */
export function differing(values: Changes, defaults: Changes): Changes {
  return Object.fromEntries(Object.entries(values).filter(([key, value]) => !same(value, defaults[key])));
}

/** `changes` with one more; a value that is the default is not kept. */
export function changed(changes: Changes, key: string, value: Value, fallback: unknown): Changes {
  const { [key]: _, ...rest } = changes;
  return same(value, fallback) ? rest : { ...rest, [key]: value };
}

/**
 * The choices of an earlier training that are to be taken over. What describes its images holds for the same images
 * alone; and how they were grouped there is known to them, unless the recipe itself named a column or pattern.
 */
export function copiedSettings(recipe: unknown, keys: readonly string[], sameImages: boolean): Changes {
  const ofImages = (key: string) =>
    key === 'classes.order' ||
    key === 'split.run' || // said apart, as "keep its split"
    (key === 'group' && valueAt(recipe, key) === null) ||
    (!sameImages && (key === 'group' || key.startsWith('classes.')));
  return dotted(
    recipe,
    keys.filter((key) => !ofImages(key)),
  );
}

/** Whether a training's threshold was chosen after it ended; that holds for its classifier alone. */
export function hasCustomThreshold(recipe: unknown, requested: unknown): boolean {
  const [now, before] = [recipe, requested].map((each) => [
    valueAt(each, 'decide_by'),
    valueAt(each, 'target'),
    valueAt(each, 'threshold'),
  ]);
  return now![0] !== 'highest' && !same(now, before);
}

/** Where the field of a key stands on the page. */
export const idOfField = (key: string) => `field-${key}`;

export interface Fault {
  field: string;
  message: string;
  line?: number | null;
}

/** `epochs = 0: it must be 1 or more` at the field of that key, whose name stands there already. */
function withoutKey(key: string, message: string): string {
  if (![' =', ':'].some((end) => message.startsWith(key + end))) return message;
  const entries = message.slice(message.indexOf(': ') + 2);
  return entries.charAt(0).toUpperCase() + entries.slice(1);
}

/**
 * What is wrong with each field of the form; what is wrong with a part of a value stands at its field, what is wrong
 * with a whole section at its first.
 */
export function faultsOf(errors: readonly Fault[], keys: readonly string[]): Map<string, string> {
  const faults = new Map<string, string>();
  for (const { field, message } of errors) {
    const key =
      keys.find((one) => one === field) ??
      keys.find((one) => field.startsWith(`${one}.`)) ??
      keys.find((one) => one.startsWith(`${field}.`));
    if (key && !faults.has(key)) faults.set(key, withoutKey(field, message));
  }
  return faults;
}

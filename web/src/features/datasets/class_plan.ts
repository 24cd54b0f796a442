// The classes of a training: names, merged classes and excluded classes.
import type { Dataset } from '../../api/datasets';

type Plan = Dataset['class_plan'];
export interface ClassChoice {
  name: string; // name of the label
  trainingName: string; // name in training
  isExcluded: boolean;
}

export function choicesOf(names: string[], plan: Plan): ClassChoice[] {
  const joined = new Map(
    Object.entries(plan.merge ?? {}).flatMap(([to, from]) => from.map((name) => [name, to])),
  );
  const renamed = new Map(Object.entries(plan.rename ?? {}));
  return names.map((name) => {
    const merged = joined.get(name) ?? name;
    return {
      name,
      trainingName: renamed.get(merged) ?? merged,
      isExcluded: (plan.drop ?? []).includes(name),
    };
  });
}

export function planOf(choices: ClassChoice[]): Plan {
  const plan: Plan = { merge: {}, drop: [], rename: {} };
  const included = choices.filter((choice) => {
    if (choice.isExcluded) plan.drop!.push(choice.name);
    return !choice.isExcluded;
  });
  for (const { name: trainingName, of: names } of resultOf(included, new Map())) {
    if (names.length > 1) plan.merge![trainingName] = names;
    else if (names[0] !== trainingName) plan.rename![names[0]!] = trainingName;
  }
  return plan;
}

/** The classes of a training with their numbers of images. */
export function resultOf(
  choices: ClassChoice[],
  counts: Map<string, number>,
): { name: string; n: number; of: string[] }[] {
  const result = new Map<string, { name: string; n: number; of: string[] }>();
  for (const { name, trainingName, isExcluded } of choices) {
    if (isExcluded) continue;
    const to = trainingName.trim() || name;
    const entry = result.get(to) ?? { name: to, n: 0, of: [] };
    entry.n += counts.get(name) ?? 0;
    entry.of.push(name);
    result.set(to, entry);
  }
  return [...result.values()];
}

/** Newer choices of the server, with what the user has typed since the former ones were loaded. */
export function withUnsaved(
  newer: readonly ClassChoice[],
  choices: readonly ClassChoice[],
  former: readonly ClassChoice[],
): ClassChoice[] {
  const text = ({ trainingName, isExcluded }: ClassChoice) => JSON.stringify([trainingName, isExcluded]);
  const before = new Map(former.map((choice) => [choice.name, text(choice)]));
  const unsaved = new Map(
    choices
      .filter((choice) => before.get(choice.name) !== text(choice))
      .map((choice) => [choice.name, choice]),
  );
  return newer.map((choice) => ({ ...(unsaved.get(choice.name) ?? choice) }));
}

/** The names with one of them directly after its neighbor (1) or before it (-1). */
export function placed(names: readonly string[], name: string, neighbor: string, by: 1 | -1): string[] {
  const others = names.filter((each) => each !== name);
  const k = others.indexOf(neighbor);
  if (k < 0) return [...names];
  others.splice(by === 1 ? k + 1 : k, 0, name);
  return others;
}

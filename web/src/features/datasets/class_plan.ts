// Classes as a training sees them: one word per class, where equal words join classes, and classes left out.
import type { Dataset } from '../../api/datasets';

type Plan = Dataset['class_plan'];
export interface Wish {
  name: string; // as labelled
  called: string; // in training
  isDropped: boolean;
}

export function wishesOf(names: string[], plan: Plan): Wish[] {
  const joined = new Map(
    Object.entries(plan.merge ?? {}).flatMap(([to, from]) => from.map((name) => [name, to])),
  );
  const renamed = new Map(Object.entries(plan.rename ?? {}));
  return names.map((name) => {
    const merged = joined.get(name) ?? name;
    return { name, called: renamed.get(merged) ?? merged, isDropped: (plan.drop ?? []).includes(name) };
  });
}

export function planOf(wishes: Wish[]): Plan {
  const plan: Plan = { merge: {}, drop: [], rename: {} };
  const kept = wishes.filter((wish) => {
    if (wish.isDropped) plan.drop!.push(wish.name);
    return !wish.isDropped;
  });
  for (const { name: called, of: names } of resultOf(kept, new Map())) {
    if (names.length > 1) plan.merge![called] = names;
    else if (names[0] !== called) plan.rename![names[0]!] = called;
  }
  return plan;
}

/** The classes of a training and how many images each has. */
export function resultOf(
  wishes: Wish[],
  counts: Map<string, number>,
): { name: string; n: number; of: string[] }[] {
  const result = new Map<string, { name: string; n: number; of: string[] }>();
  for (const { name, called, isDropped } of wishes) {
    if (isDropped) continue;
    const to = called.trim() || name;
    const entry = result.get(to) ?? { name: to, n: 0, of: [] };
    entry.n += counts.get(name) ?? 0;
    entry.of.push(name);
    result.set(to, entry);
  }
  return [...result.values()];
}

// Classes and groups that are joined because they are one with several spellings.
import type { Dataset } from '../../api/datasets';
import { choicesOf, planOf } from './class_plan';

/** From the name of a joined class or group to the names of all. */
export type Merge = Readonly<Record<string, readonly string[]>>;
type Plan = Dataset['class_plan'];
type Groups = Dataset['groups']['merge'];

/** The plan of classes after a join. The names are those in training. */
export function withJoinedClasses(labels: string[], plan: Plan, merge: Merge): Plan {
  const nameOf = namesOf(merge);
  return planOf(
    choicesOf(labels, plan).map((choice) => ({
      ...choice,
      trainingName: nameOf.get(choice.trainingName) ?? choice.trainingName,
    })),
  );
}

/** The plan of classes after a join is undone, with what has changed otherwise since. */
export function withSeparateClasses(labels: string[], plan: Plan, before: Plan, merge: Merge): Plan {
  const nameOf = namesOf(merge);
  const earlier = new Map(choicesOf(labels, before).map(({ name, trainingName }) => [name, trainingName]));
  return planOf(
    choicesOf(labels, plan).map((choice) => {
      const name = earlier.get(choice.name) ?? choice.trainingName;
      return nameOf.get(name) === choice.trainingName ? { ...choice, trainingName: name } : choice;
    }),
  );
}

/** The joined groups after a join. Each name can be that of groups that were joined before. */
export function withJoinedGroups(groups: Groups, merge: Merge): Groups {
  const result = { ...groups };
  for (const [name, spellings] of Object.entries(merge)) {
    const all = spellings.flatMap((spelling) => groups[spelling] ?? [spelling]);
    for (const spelling of spellings) delete result[spelling];
    result[name] = all;
  }
  return result;
}

/** The joined groups after a join is undone, with what has changed otherwise since. */
export function withSeparateGroups(groups: Groups, before: Groups, merge: Merge): Groups {
  const result = { ...groups };
  for (const [name, spellings] of Object.entries(merge)) {
    delete result[name];
    for (const spelling of spellings) if (before[spelling]) result[spelling] = before[spelling];
  }
  return result;
}

const namesOf = (merge: Merge) =>
  new Map(Object.entries(merge).flatMap(([name, spellings]) => spellings.map((each) => [each, name])));

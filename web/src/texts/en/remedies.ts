// Remedies of problems: the text of a button, or a sentence if the page has no button for the remedy.
import { count, plural } from '../language';

/** The name of a setting of the training page. */
export const leakage = 'Train although the split separates groups or duplicates';

export const remedies = {
  apply: (title: string, value: string) => `Set “${title}” to “${value}”`,
  joinClasses: 'Join these classes in training',
  joinGroups: (n: number) =>
    plural(n, { one: 'Join these groups', other: `Join the groups of all ${count(n)} sets` }),
  groupByColumn: (column: string) => `Group by the column “${column}”`,
  groupByPattern: 'Group by these parts of the names',
  groupByFile: 'Each file is of another patient or slide',
  defineGroups: 'Define groups',
  trainWith: (title: string, value: string) => `Train with “${title}” set to “${value}”`,
  joinInApp: 'On the page of the dataset, you can join them.',
  trainAnyway: 'Train anyway',
  set: (title: string, value: string) => `On the training page, set “${title}” to “${value}”.`,
  allowLeakage: `On the training page, you can select “${leakage}”.`,
  groupByColumnInApp: (column: string) =>
    `Under “Groups” of “Checks”, you can choose the column “${column}”.`,
  group: 'Under “Groups” of “Checks”, you can define groups.',
  importWeights: 'The page “Pretrained weights” of the documentation describes how to import a file.',
  cleanCache: 'The documentation describes how to empty the cache.',
  chooseRoot: 'The app’s documentation describes how to allow coverslip to read other folders.',
};

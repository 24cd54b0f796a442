// What a suggested way of grouping is called.
import type { GroupSuggestion } from '../../api/datasets';
import { texts } from '../../texts';
import { count } from '../../texts/numbers';

const words = texts.datasets.groupsTab.suggestions;

export function nameOf({ kind, column, n }: GroupSuggestion): string {
  switch (kind) {
    case 'column':
      return words.column(column ?? '');
    case 'part':
    case 'parts':
      return words[kind](n);
    default:
      return words[kind];
  }
}

/** How many groups it makes, and one of them. */
export function groupsOf({ n_groups, example }: GroupSuggestion): string {
  return words.of(count(n_groups), example);
}

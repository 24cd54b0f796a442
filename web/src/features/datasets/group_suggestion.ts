// Texts of a suggested grouping.
import type { GroupSuggestion } from '../../api/datasets';
import { texts } from '../../texts';

const words = texts.datasets.groupsTab.suggestions;

/** Number of groups, and one group as an example. */
export function groupsOf({ n_groups, example }: GroupSuggestion): string {
  return words.of(n_groups, example);
}

/** Whether images of one group resemble each other more than by chance. */
export function evidenceOf({ p, is_supported }: GroupSuggestion): string {
  if (p === null || p === undefined) return words.untested;
  return is_supported ? words.supported(p) : words.unsupported;
}

export function nameOf(suggestion: GroupSuggestion): string {
  return suggestion.column === null ? groupsOf(suggestion) : words.column(suggestion.column);
}

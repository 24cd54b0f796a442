// The active filters as texts with a button that removes them.
import type { Filters } from '../../../api/datasets';
import { texts } from '../../../texts';

export interface Chip {
  text: string;
  without: Filters; // changes that remove this filter
}

const words = texts.datasets.gallery;

/** Return the active filters. `runName` returns the name of a training by its id. */
export function chipsOf(filters: Filters, runName: (id: string) => string): Chip[] {
  const chips: Chip[] = [];
  const add = (field: string, value: string | null | undefined, without: Filters) => {
    if (value) chips.push({ text: words.chip(field, value), without });
  };
  if (filters.label != null) add(words.fields.label, filters.label || words.unlabeled, { label: undefined });
  add(words.fields.domain, filters.domain, { domain: undefined });
  add(words.fields.group, filters.group, { group: undefined });
  const only = filters.only ?? '';
  add(words.fields.only, words.only[only] ?? words.onlyByRun[only], { only: undefined });
  add(words.fields.search, filters.search, { search: undefined });
  if (filters.run && filters.part)
    add(runName(filters.run), words.parts[filters.part], { run: undefined, part: undefined });
  return chips;
}

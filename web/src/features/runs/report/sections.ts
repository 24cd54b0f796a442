// The tab of the results for each section of the report.
import type { ReportSection } from '../../../api/evaluations';

export type SectionTab = 'metrics' | 'calibration' | 'data' | 'training' | 'details';

/** Sections with separate components. */
const OWN = new Set([
  ...['numbers', 'confusion', 'per_class', 'misclassified', 'least_certain', 'calibration', 'roc', 'limits'],
  ...['methods', 'curves', 'learning_curve', 'leakage_estimate', 'label_errors', 'own-test'],
]);
const TAB_OF: Record<string, SectionTab> = {
  prediction_sets: 'calibration',
  unfamiliar: 'calibration',
  images: 'data',
  examples: 'data',
  relabeled: 'data',
  budget: 'training',
  map_checks: 'details',
};

/** The sentences of a section, without its table and figures. */
export const wordsOf = (section: ReportSection | undefined): string[] =>
  (section?.blocks ?? []).flatMap((block) =>
    block.kind === 'text' ? [...block.words, ...block.reasons] : [],
  );

/** The sections of a tab. Sections without a tab, such as those of plugins, are on the tab of metrics. */
export const sectionsIn = (tab: SectionTab, sections: ReportSection[]) =>
  sections.filter(({ name }) => !OWN.has(name) && (TAB_OF[name] ?? 'metrics') === tab);

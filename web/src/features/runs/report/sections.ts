// In which tab of the results a section of the report stands, if the pages have no view of their own for it.
import type { ReportSection } from '../../../api/evaluation_images';

export type SectionTab = 'metrics' | 'calibration' | 'data' | 'training' | 'details';

/** Shown by pages in views of their own. */
const OWN = new Set([
  ...['numbers', 'confusion', 'per_class', 'misclassified', 'least_certain', 'calibration', 'roc', 'limits'],
  ...['methods', 'curves', 'learning_curve', 'leakage_estimate', 'label_errors', 'own-test'],
]);
const TAB_OF: Record<string, SectionTab> = {
  prediction_sets: 'calibration',
  unfamiliar: 'calibration',
  images: 'data',
  flow: 'data',
  examples: 'data',
  relabeled: 'data',
  budget: 'training',
  map_checks: 'details',
};

/** The sections of a tab; those that no tab names, such as a plugin's, stand with the metrics. */
export const sectionsIn = (tab: SectionTab, sections: ReportSection[]) =>
  sections.filter(({ name }) => !OWN.has(name) && (TAB_OF[name] ?? 'metrics') === tab);

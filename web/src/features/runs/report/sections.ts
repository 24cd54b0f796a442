// The tab of the results for each section of the report.
import type { MetricValue, ReportSection } from '../../../api/evaluations';

/** Tabs of sections only: the section whose verdict opens the tab, and terms of the glossary. */
export const SECTION_TABS: Record<string, { verdict: string; terms: string[] }> = {
  metrics: {
    verdict: 'numbers',
    terms: ['confidence interval', 'balanced accuracy', 'F1', 'macro', 'AUROC'],
  },
  curves: { verdict: 'roc', terms: ['ROC curve', 'AUROC', 'average precision'] },
  calibration: {
    verdict: 'calibration',
    terms: ['calibration', 'calibration error above chance', 'temperature'],
  },
  data: { verdict: 'images', terms: [] },
};
/** Sections with separate components. */
const OWN = new Set([
  ...['confusion', 'misclassified', 'limits'],
  ...['methods', 'curves', 'label_errors', 'own-test'],
]);
const TAB_OF: Record<string, string> = {
  roc: 'curves',
  calibration: 'calibration',
  prediction_sets: 'calibration',
  unfamiliar: 'calibration',
  learning_curve: 'data',
  leakage_estimate: 'data',
  images: 'data',
  examples: 'data',
  relabeled: 'data',
  map_checks: 'details',
};

/** The sections of a tab. Sections without a tab, such as those of plugins, are on the tab of metrics. */
export const sectionsIn = (tab: string, sections: ReportSection[]) =>
  sections.filter(({ name }) => !OWN.has(name) && (TAB_OF[name] ?? 'metrics') === tab);

const blocksOf = (name: string, sections: ReportSection[]) =>
  sections.filter((section) => section.name === name).flatMap(({ blocks }) => blocks);

/** The headline metrics. */
export const headlineMetrics = (sections: ReportSection[]): MetricValue[] =>
  blocksOf('numbers', sections).flatMap((block) => (block.kind === 'metrics' ? block.metrics : []));

/** The methods for a paper, by paragraph. */
export const methodsIn = (sections: ReportSection[]): string[] =>
  blocksOf('methods', sections).flatMap((block) =>
    block.kind === 'quotation' && !block.summary ? block.paragraphs : [],
  );

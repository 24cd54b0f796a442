// The part of the tab Trust for each section of the report.
import type { MetricValue, ReportSection } from '../../../api/evaluations';

/** Parts in order: the section whose verdict each begins with, and terms of the glossary. */
export const PARTS = [
  {
    id: 'metrics',
    subject: 'numbers',
    terms: ['confidence interval', 'balanced accuracy', 'F1', 'macro', 'AUROC'],
  },
  {
    id: 'calibration',
    subject: 'calibration',
    terms: ['calibration', 'calibration error above chance', 'temperature'],
  },
  { id: 'curves', subject: 'roc', terms: ['ROC curve', 'AUROC', 'average precision'] },
  { id: 'data', subject: 'images', terms: [] },
] as const;
/** Sections with separate components. */
const OWN = new Set([
  ...['confusion', 'misclassified', 'limits'],
  ...['methods', 'curves', 'label_errors', 'own-test'],
]);
const PART_OF: Record<string, string> = {
  roc: 'curves',
  calibration: 'calibration',
  prediction_sets: 'calibration',
  unfamiliar: 'calibration',
  learning_curve: 'data',
  leakage_estimate: 'data',
  images: 'data',
  examples: 'data',
  relabeled: 'data',
};

/** The sections of a part. Sections without a part, such as those of plugins, are in that of metrics. */
export const sectionsIn = (part: string, sections: ReportSection[]) =>
  sections.filter(({ name }) => !OWN.has(name) && (PART_OF[name] ?? 'metrics') === part);

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

// Sections of the report that the pages show in a way of their own; all others are shown as the report has them.
import type { ReportSection } from '../../../api/measured';

const OWN = new Set([
  ...['numbers', 'confusion', 'per_class', 'mistakes', 'least_certain', 'calibration', 'roc', 'limits'],
  ...['images', 'methods', 'curves', 'learning_curve', 'careless_split', 'label_errors', 'flow', 'examples'],
]);

/** Those that the summary shows as they are. */
export const otherSections = (sections: ReportSection[]) => sections.filter(({ name }) => !OWN.has(name));

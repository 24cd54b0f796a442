// The networks of a study as rows of a forest plot, which fills up while trainings end.
import type { StudyDetail, StudyResults } from '../../api/studies';

/** A network in one arm: its single results, and their mean. */
export interface ForestMark {
  arm: string; // empty: the study has no arms
  values: number[];
  mean: number | null;
  low: number | null;
  high: number | null;
  n: number; // trainings
  nFailed: number;
  share: number | null; // of the training that runs
}
export interface ForestRow {
  key: string;
  model: string;
  about: string; // initial weights and number of training images, where they differ
  dataset: string;
  marks: ForestMark[];
}

/** The rows in the order of the trainings. Means and intervals are those of the comparison as soon as it exists. */
export function forestRows(study: StudyDetail, results: StudyResults | null): ForestRow[] {
  const measured = study.trainings.filter(({ is_pretraining }) => !is_pretraining);
  const varies = (of: 'regime' | 'train_per_class') => new Set(measured.map((each) => each[of])).size > 1;
  const [hasRegimes, hasSizes] = [varies('regime'), varies('train_per_class')];
  const rows = new Map<string, ForestRow>();
  for (const training of measured) {
    const { plan_dataset: dataset, model, regime, train_per_class: size, arm, value } = training;
    const key = JSON.stringify([dataset, model, regime, size]);
    const about = [hasRegimes && regime, hasSizes && size !== null && String(size)]
      .filter(Boolean)
      .join(', ');
    const row = rows.get(key) ?? { key, model, about, dataset, marks: [] };
    rows.set(key, row);
    let mark = row.marks.find((each) => each.arm === arm);
    if (!mark) {
      const score = results?.comparison.datasets
        .find((part) => part.dataset === training.dataset && part.train_per_class === size)
        ?.scores.find((each) => each.model === model && each.regime === regime);
      const metric = results && score ? score.metrics[results.comparison.metric] : null;
      const { mean = null, low = null, high = null } = metric ?? {};
      mark = { arm, values: [], mean, low, high, n: 0, nFailed: 0, share: null };
      row.marks.push(mark);
    }
    mark.n += 1;
    if (training.state === 'failed') mark.nFailed += 1;
    mark.share ??= training.share;
    if (value !== null) mark.values.push(value);
  }
  for (const { marks } of rows.values())
    for (const mark of marks)
      if (mark.mean === null && mark.values.length)
        mark.mean = mark.values.reduce((sum, value) => sum + value, 0) / mark.values.length;
  return [...rows.values()];
}

// The sentence at the top of each tab of results.
import type { EvaluationResults, Measurement } from '../../api/evaluations';
import type { Results, RunDetail, Training } from '../../api/runs';
import { confusionPairs } from '../../charts/confusion';
import { texts } from '../../texts';
import { percent, score, withInterval } from '../../texts/numbers';
import { marksOf } from './headline';
import { finalOf } from './live/trainings';

const words = texts.runs.results.verdicts;

export const valueOf = (measurement: Measurement, name: string) =>
  measurement.values.find((value) => value.name === name) ?? null;

/** The primary metric with its interval, and the class with the lowest F1. */
export function metricsVerdict(measurement: Measurement): string {
  const primary = measurement.values.find((value) => value.is_primary) ?? measurement.values[0];
  if (!primary || primary.value === null) return '';
  const reason = primary.low === null && primary.reason ? `; ${primary.reason}` : '';
  const first = words.metrics(primary.title, withInterval(primary.value, primary.low, primary.high) + reason);
  const [lowest] = measurement.per_class
    .filter(({ f1 }) => f1 !== null)
    .sort((a, b) => (a.f1 ?? 1) - (b.f1 ?? 1));
  return lowest ? `${first} ${words.lowestClass(lowest.name, score(lowest.f1), lowest.n)}` : first;
}

export function confusionVerdict({ confusion }: Measurement): string {
  const worst = confusionPairs(confusion.classes, confusion.counts, 1)[0];
  if (!worst) return words.noConfusion;
  return words.confusion(worst.n, worst.label, worst.predicted, percent(worst.share));
}

/** Number of images of a confusion matrix. */
export const nMeasured = ({ confusion }: Measurement) =>
  confusion.counts.flat().reduce((sum, n) => sum + n, 0);

export function misclassifiedVerdict(measurement: Measurement): string {
  if (!measurement.n_mistakes) return words.noConfusion;
  const n = nMeasured(measurement);
  return words.misclassified(measurement.n_mistakes, n, percent(measurement.n_mistakes / Math.max(1, n)));
}

/** With two classes, sensitivity and specificity on the test images; otherwise the decision rule. */
export function thresholdVerdict(
  measurement: Measurement,
  ofFolds: { way: string; threshold: string } | null,
): string {
  const positive = measurement.metrics.positive_class as string | null | undefined;
  const row = measurement.per_class.find(({ name }) => name === positive);
  if (positive && row) {
    const of = (name: 'recall' | 'specificity') =>
      withInterval(row[name], row.intervals[name]?.low, row.intervals[name]?.high);
    const both = [positive, of('recall'), of('specificity')] as const;
    return ofFolds ? words.positiveByFolds(...both, ofFolds.way, ofFolds.threshold) : words.positive(...both);
  }
  return measurement.per_class.some(({ operating_point }) => operating_point !== null)
    ? words.roc
    : words.highest;
}

export function curvesVerdict(measurement: Measurement): string {
  const auroc = valueOf(measurement, 'macro_auroc');
  if (!auroc || auroc.value === null || !measurement.roc.length) return words.noCurves;
  const precision = valueOf(measurement, 'average_precision')?.value ?? null;
  return words.curves(
    withInterval(auroc.value, auroc.low, auroc.high),
    auroc.title,
    precision === null ? null : score(precision),
  );
}

/** Miscalibration is significant if the interval of the calibration error above chance is above 0. */
export function calibrationVerdict({ calibration }: Measurement): string {
  const error = calibration?.error;
  if (!calibration || !error || error.value === null) return texts.runs.results.calibration.none;
  const excess = withInterval(error.value, error.low, error.high);
  if (error.low === null) return words.calibrationUnknown(excess, error.reason ?? '');
  if (error.low <= 0) return words.calibrated(excess);
  const { mean_confidence, accuracy } = calibration;
  const gap = (mean_confidence ?? 0) - (accuracy ?? 0);
  if (Math.abs(gap) < error.value / 2) return words.uncalibrated(excess);
  const verdict = gap > 0 ? words.overconfident : words.underconfident;
  return verdict(excess, percent(mean_confidence), percent(accuracy));
}

export function dataVerdict(run: RunDetail, results: Results): string {
  if (run.n_folds) return words.folds(nMeasured(results), run.n_folds);
  const parts = run.trainings.find((training) => !training.is_pretraining)?.parts;
  if (!parts) return '';
  const { n_train, n_val, n_test } = parts;
  return words.split(n_train, n_val, n_test);
}

export function trainingVerdict(run: RunDetail): string {
  if (run.n_folds) return words.eachFold(run.n_folds);
  const training = run.trainings.find((training) => !training.is_pretraining);
  return isFinetuned(training)
    ? words.finetuned(training!.selected_epoch!, nEpochs(training!))
    : words.instant;
}

const isFinetuned = (training: Training | undefined) =>
  !!training?.selected_epoch && training.epochs.length > 0 && training.selected_stage !== 'instant';

/** Number of epochs; epoch 0 has the results before fine-tuning. */
const nEpochs = ({ epochs }: Training) => epochs.length - Number(epochs[0]?.epoch === 0);

/** The stage of the training whose classifier is used. */
export function selectedStage(run: RunDetail): string {
  const training =
    finalOf(run) ?? run.trainings.find(({ fold, is_pretraining }) => fold === null && !is_pretraining);
  if (isFinetuned(training)) return words.isFinetuned(training!.selected_epoch!, nEpochs(training!));
  return training?.epochs.length ? words.isInstantAgain : words.isInstant;
}

export const detailsVerdict = (run: RunDetail) =>
  words.warnings(run.notes.filter(({ level }) => level === 'warning').length);

/** The conclusion of an evaluation: the difference of the primary metric from the test set of the run. */
export function testSetConclusion({ against_own_test, test_set, primary }: EvaluationResults): string {
  const row = against_own_test.find(({ name }) => name === primary);
  if (!row || row.value === null) return '';
  const conclusions = texts.runs.evaluations;
  const marks = test_set ? marksOf(test_set).map(({ text }) => text) : [];
  const [external, runScore] = [score(row.second), score(row.first)];
  const internal = marks.length ? `${runScore} (${marks.join('; ')})` : runScore;
  if (row.low === null) return conclusions.noInterval(row.title, external, internal, row.reason ?? '');
  const conclusion = !row.is_shown
    ? conclusions.same
    : row.value < 0
      ? conclusions.lower
      : conclusions.higher;
  return conclusion(row.title, external, internal, withInterval(row.value, row.low, row.high));
}

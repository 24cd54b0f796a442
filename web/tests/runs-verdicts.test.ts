import { expect, test } from 'vitest';
import type { EvaluationResults, Measurement } from '../src/api/evaluations';
import type { RunDetail } from '../src/api/runs';
import {
  testSetConclusion,
  calibrationVerdict,
  confusionVerdict,
  misclassifiedVerdict,
  selectedStage,
  trainingVerdict,
} from '../src/features/runs/verdicts';
import { headlineText, marksOf, type Headline } from '../src/features/runs/headline';
import { texts } from '../src/texts';

const words = texts.runs.results.verdicts;
const calibration = (value: number, low: number | null, confidence: number, accuracy: number) =>
  ({
    calibration: {
      error: { value, low, high: low === null ? null : 0.1, reason: 'few groups' },
      ...{ error_before: null, before: null, mean_confidence: confidence, accuracy, after: [] },
    },
  }) as unknown as Measurement;

test('calibration verdicts state significance and direction', () => {
  const excess = '0.080 (95% CI 0.010 to 0.100)';
  expect(calibrationVerdict(calibration(0.029, -0.01, 0.95, 0.9))).toBe(
    words.calibrated('0.029 (95% CI −0.010 to 0.100)'),
  );
  expect(calibrationVerdict(calibration(0.08, 0.01, 0.95, 0.88))).toBe(
    words.overconfident(excess, '95.0%', '88.0%'),
  );
  expect(calibrationVerdict(calibration(0.08, 0.01, 0.8, 0.88))).toBe(
    words.underconfident(excess, '80.0%', '88.0%'),
  );
  expect(calibrationVerdict(calibration(0.08, 0.01, 0.88, 0.88))).toBe(words.uncalibrated(excess));
  expect(calibrationVerdict(calibration(0.08, null, 0.95, 0.88))).toBe(
    words.calibrationUnknown('0.080', 'few groups'),
  );
  expect(calibrationVerdict({ calibration: null } as Measurement)).toBe(texts.runs.results.calibration.none);
});

test('the summary states which classifier is used', () => {
  const run = (selected_stage: 'instant' | 'finetune', n: number) => {
    const epochs = Array.from({ length: n }, (_, epoch) => ({ epoch }));
    const training = {
      fold: null,
      is_pretraining: false,
      epochs,
      selected_epoch: n - 1 || null,
      selected_stage,
    };
    return { n_folds: 0, trainings: [training] } as unknown as RunDetail;
  };
  expect(selectedStage(run('finetune', 6))).toBe(words.isFinetuned(5, 5));
  expect(selectedStage(run('instant', 6))).toBe(words.isInstantAgain);
  expect(selectedStage(run('instant', 0))).toBe(words.isInstant);
  expect(trainingVerdict(run('finetune', 6))).toBe(words.finetuned(5, 5));
  expect(trainingVerdict(run('instant', 6))).toBe(words.instant);
});

test('verdicts count misclassified images and name the most frequent confusion', () => {
  const measurement = {
    n_mistakes: 60,
    confusion: {
      classes: ['a', 'b'],
      counts: [
        [1148, 52],
        [8, 52],
      ],
    },
  } as unknown as Measurement;
  expect(misclassifiedVerdict(measurement)).toBe(words.misclassified(60, 1260, '4.8%'));
  expect(confusionVerdict(measurement)).toBe(words.confusion(52, 'a', 'b', '4.3%'));
  const none = { n_mistakes: 0, confusion: { classes: ['a'], counts: [[3]] } } as unknown as Measurement;
  expect([misclassifiedVerdict(none), confusionVerdict(none)]).toEqual([
    words.noConfusion,
    words.noConfusion,
  ]);
});

test('results by a threshold or on relabeled test images are marked', () => {
  const plain = { metric: 'macro_f1', title: 'Macro-F1', value: 0.9, low: null, high: null };
  const marks = texts.runs.marks;
  const fair: Headline = { ...plain, rule: 'highest probability', n_relabeled: 0 };
  const flattered: Headline = { ...plain, rule: 'threshold set by hand', n_relabeled: 2 };
  expect(marksOf(fair)).toEqual([]);
  expect(marksOf(flattered)).toEqual([marks.rules['threshold set by hand'], marks.relabeled(2)]);
  const differences = [
    { name: 'macro_f1', title: 'Macro-F1', first: 0.9, second: 0.8, value: -0.1, low: null },
  ];
  const against = (test_set: Headline) =>
    testSetConclusion({
      against_own_test: differences,
      primary: 'macro_f1',
      test_set,
    } as unknown as EvaluationResults);
  for (const { text } of marksOf(flattered)) {
    expect(headlineText(flattered)).toContain(text);
    expect(against(flattered)).toContain(text);
    expect(headlineText(fair)! + against(fair)).not.toContain(text);
  }
});

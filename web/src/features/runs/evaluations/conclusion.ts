// The conclusion of an evaluation: the difference of the primary metric from the test set of the run.
import type { EvaluationResults } from '../../../api/evaluations';
import { texts } from '../../../texts';
import { marksOf } from '../headline';
import { score, withInterval } from '../../../texts/numbers';

export function testSetConclusion({ against_own_test, test_set, primary }: EvaluationResults): string {
  const row = against_own_test.find(({ name }) => name === primary);
  if (!row || row.value === null) return '';
  const words = texts.runs.evaluations;
  const marks = test_set ? marksOf(test_set).map(({ text }) => text) : [];
  const [here, alone] = [score(row.second), score(row.first)];
  const own = marks.length ? `${alone} (${marks.join('; ')})` : alone;
  if (row.low === null) return words.noInterval(row.title, here, own, row.reason ?? '');
  const say = !row.is_shown ? words.same : row.value < 0 ? words.lower : words.higher;
  return say(row.title, here, own, withInterval(row.value, row.low, row.high));
}

// A line of the log as a sentence.
import { score } from '../../../texts/numbers';
import { texts } from '../../../texts';
import type { LogLine } from '../../../api/runs';

export function sentence(line: LogLine): string {
  return texts.runs.lines.steps(line.values.is_pretraining === true) + textOf(line);
}

function textOf(line: LogLine): string {
  const words = texts.runs.lines;
  const number = (name: string) => Number(line.values[name] ?? 0);
  const value = (name: string) => score(line.values[name] as number | null | undefined);
  switch (line.event) {
    case 'Noted':
      return String(line.values.text);
    case 'RunStarted':
      return words.RunStarted(number('n_train'), number('n_val'), number('n_test'));
    case 'FoldStarted':
      return words.FoldStarted(number('fold'), number('n_folds'));
    case 'FoldEnded':
      return words.FoldEnded(number('fold'), value('accuracy'), value('macro_f1'));
    case 'StageStarted':
      return line.values.stage === 'finetune' ? words.finetune(number('n_epochs')) : words.instant;
    case 'InstantClassifierFitted':
      if (line.values.val_accuracy == null) return words.instantReady; // there are no validation images
      return words.instantReady + words.instantScores(value('val_accuracy'), value('val_macro_f1'));
    case 'EpochEnded':
      if (line.values.epoch === 0) return words.start(value('val_f1'));
      return words.EpochEnded(
        number('epoch'),
        number('n_epochs'),
        value('train_loss'),
        value('val_f1'),
        Boolean(line.values.is_best),
      );
    case 'ClassifierSelected':
      if (line.values.stage === 'instant') return words.selectedInstant;
      return words.selected(number('epoch'), line.values.checkpoint_selection === 'last');
    case 'RunEnded':
      if (line.values.state === 'done') return line.values.fold ? words.foldDone(number('fold')) : words.done;
      return line.values.state === 'stopped' ? words.stopped : words.failed(String(line.values.reason ?? ''));
    default:
      return line.event; // later versions may have other events
  }
}

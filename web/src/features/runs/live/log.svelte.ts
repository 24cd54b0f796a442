// The log of a run: lines from the event stream or all lines at once, and their sentences.
import { type LogLine, readRunLog } from '../../../api/runs';
import { texts } from '../../../texts';
import { score } from '../../../texts/numbers';

export const MOST_LINES = 2000;

/** Add new lines. Lines that are received twice, for example after a lost connection, are added once. */
export function joined(lines: readonly LogLine[], more: readonly LogLine[]): readonly LogLine[] {
  const last = lines.at(-1)?.n ?? 0;
  const fresh = more.filter((line) => line.n > last);
  return fresh.length ? [...lines, ...fresh].slice(-MOST_LINES) : lines;
}

export class RunLog {
  lines = $state.raw<readonly LogLine[]>([]); // oldest first
  problem = $state.raw<unknown>(null);

  constructor(private readonly id: string) {}

  add(line: LogLine): void {
    this.lines = joined(this.lines, [line]);
  }

  /** Load the log of a run whose event stream has ended. */
  async read(): Promise<void> {
    try {
      const lines = await readRunLog(this.id, MOST_LINES);
      this.lines = joined(this.lines, lines);
      this.problem = null;
    } catch (error) {
      this.problem = error;
    }
  }
}

/** A line of the log as a sentence. */
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

// What the live page knows, rebuilt from the run's own log: the same lines give the same page, also after a reload.

/** One line of `events.jsonl`; which of the fields there are depends on `event`. */
export interface Line {
  n: number;
  time: number;
  event: string;
  fold?: number;
  is_first?: boolean;
  [name: string]: unknown;
}

export interface Epoch {
  epoch: number;
  n_epochs: number;
  is_best: boolean;
  train_loss: number | null; // none in epoch 0, the network that fine-tuning starts from
  train_accuracy: number | null;
  train_precision: number | null;
  train_recall: number | null;
  train_f1: number | null;
  val_loss: number | null;
  val_accuracy: number | null;
  val_precision: number | null;
  val_recall: number | null;
  val_f1: number | null;
}

/** One training: a run has one, or with folds one for each and a last one on all images. */
export interface Training {
  key: string;
  fold: number | null;
  isFirst: boolean;
  head: { accuracy: number | null; f1: number | null; seconds: number } | null;
  epochs: Epoch[];
  tested: { accuracy: number | null; f1: number | null } | null;
}

export interface Step {
  epoch: number;
  step: number;
  nSteps: number;
  epochSecondsLeft: number;
  secondsLeft: number;
  perSecond: number;
}

export interface Live {
  last: number;
  trainings: Training[];
  now: string | null; // key of the training that goes on
  nFolds: number;
  parts: { train: number; val: number; test: number } | null;
  classes: string[];
  nEpochs: number; // at most, of the fine-tuning that goes on
  step: Step | null;
  work: { stage: string; done: number; total: number; unit: string; secondsLeft: number | null } | null;
  lines: Line[]; // those worth reading, oldest first
}

const QUIET = new Set(['Progressed', 'StepEnded', 'CheckpointSaved']);
const MOST_LINES = 2000;

export function empty(): Live {
  return {
    last: 0,
    trainings: [],
    now: null,
    nFolds: 0,
    parts: null,
    classes: [],
    nEpochs: 0,
    step: null,
    work: null,
    lines: [],
  };
}

function keyOf(line: Line): string {
  return line.is_first ? 'first' : line.fold ? `fold-${line.fold}` : 'main';
}

function withTraining(live: Live, line: Line, change: (training: Training) => Training): Live {
  const key = keyOf(line);
  const blank: Training = {
    key,
    fold: line.fold ?? null,
    isFirst: line.is_first ?? false,
    head: null,
    epochs: [],
    tested: null,
  };
  const there = live.trainings.some((training) => training.key === key);
  const all = there ? live.trainings : [...live.trainings, blank];
  return { ...live, now: key, trainings: all.map((t) => (t.key === key ? change(t) : t)) };
}

/** `live` after one more line. Lines that were there already change nothing. */
export function after(live: Live, line: Line): Live {
  if (line.n <= live.last) return live;
  let next: Live = { ...live, last: line.n };
  if (!QUIET.has(line.event)) next.lines = [...live.lines, line].slice(-MOST_LINES);
  switch (line.event) {
    case 'Progressed':
      next.work = {
        stage: String(line.stage),
        done: Number(line.done),
        total: Number(line.total),
        unit: String(line.unit ?? ''),
        secondsLeft: line.seconds_left as number | null,
      };
      next.step = null;
      break;
    case 'RunStarted':
      next = withTraining(next, line, (training) => training);
      if (!next.parts)
        next.parts = { train: Number(line.n_train), val: Number(line.n_val), test: Number(line.n_test) };
      next.classes = line.classes as string[];
      break;
    case 'FoldStarted':
      next = withTraining({ ...next, nFolds: Number(line.n_folds), step: null, work: null }, line, (t) => t);
      break;
    case 'FoldEnded':
      next = withTraining({ ...next, nFolds: Number(line.n_folds) }, line, (training) => ({
        ...training,
        tested: { accuracy: line.accuracy as number | null, f1: line.macro_f1 as number | null },
      }));
      break;
    case 'StageStarted':
      next = withTraining({ ...next, step: null, work: null }, line, (training) => training);
      next.nEpochs = Number(line.n_epochs ?? 0);
      break;
    case 'HeadFitted':
      next = withTraining({ ...next, work: null }, line, (training) => ({
        ...training,
        head: {
          accuracy: line.val_accuracy as number | null,
          f1: line.val_macro_f1 as number | null,
          seconds: Number(line.seconds),
        },
      }));
      break;
    case 'StepEnded':
      next = withTraining({ ...next, work: null }, line, (training) => training);
      next.step = {
        epoch: Number(line.epoch),
        step: Number(line.step),
        nSteps: Number(line.n_steps),
        epochSecondsLeft: Number(line.epoch_seconds_left),
        secondsLeft: Number(line.seconds_left),
        perSecond: Number(line.images_per_second),
      };
      break;
    case 'EpochEnded': {
      const row = line as unknown as Epoch;
      next = withTraining(next, line, (training) => ({
        ...training,
        epochs: [...training.epochs.filter((e) => e.epoch < row.epoch), row],
      }));
      break;
    }
    case 'RunEnded':
      next.step = null;
      next.work = null;
      break;
  }
  return next;
}

/** Many lines at once, such as all that were written before the page was opened. */
export function afterAll(live: Live, lines: readonly Line[]): Live {
  return lines.reduce(after, live);
}

"""What a run has reached and how far it is, folded from its events."""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_events import a_step, an_epoch

from coverslip.events import (
    CheckpointSaved,
    ClassifierSelected,
    Event,
    FoldEnded,
    FoldStarted,
    InstantClassifierFitted,
    Noted,
    Pace,
    Progressed,
    RunEnded,
    RunStarted,
    SetSizes,
    StageStarted,
    ValidationImagesChosen,
    WorkPlanned,
    as_json,
    from_json,
)
from coverslip.messages import CleanCache, Set
from coverslip.runs.progress import FoldTestScores, LoggedProgress, SplitCounts, fold_event


def folded(events: Iterable[Event], progress: LoggedProgress | None = None) -> LoggedProgress:
    """One event a second."""
    progress = progress or LoggedProgress()
    for n, event in enumerate(events, start=1):
        progress = fold_event(progress, event, 100.0 + n)
    return progress


PLAN = WorkPlanned(
    sizes=(SetSizes(n_train=9, n_val=3, n_test=4, n_drawn=9, n_selecting=3),),
    n_reprocessed=(12,),
    n_epochs=2,
    has_instant=True,
)


def of_two_folds() -> list[Event]:
    return [
        Progressed(stage="reading-images", done=5, total=10),
        replace(PLAN, sizes=3 * PLAN.sizes, n_reprocessed=3 * PLAN.n_reprocessed),
        FoldStarted(fold=1, n_folds=2),
        StageStarted(stage="instant", fold=1),
        InstantClassifierFitted(seconds=1.0, val_accuracy=0.5, val_macro_f1=0.4, fold=1),
        StageStarted(stage="finetune", n_epochs=2, fold=1),
        a_step(1, 1, fold=1),
        Progressed(stage="predicting", done=1, total=2, fold=1),
        FoldEnded(fold=1, n_folds=2, accuracy=0.9, macro_f1=0.8),
        FoldStarted(fold=2, n_folds=2),
        FoldEnded(fold=2, n_folds=2, accuracy=None, macro_f1=None),
        StageStarted(stage="finetune", n_epochs=2),
        RunEnded(run="runs/a", state="done"),
    ]


def test_watched_images_have_the_predictions_of_the_last_epoch() -> None:
    watched = ValidationImagesChosen(image_ids=("a", "b", "c"), labels=(0, 1, 1), classes=("round", "flat"))
    begun = [StageStarted(stage="finetune", n_epochs=3), watched]
    epochs = [an_epoch(k, chosen_predicted=called) for k, called in enumerate([(1, 1, 0), (0, 1, 0), (0, 1, 1)])]
    assert from_json(as_json(epochs[0])) == epochs[0]
    (training,) = folded([*begun, *epochs]).trainings
    assert training.watched is not None
    assert (training.watched.epoch, training.watched.predicted) == (2, (0, 1, 1))
    assert training.watched.n_right == (1, 2, 3)
    # Resumed after a crash: the images are sent again, and the lost epoch is repeated.
    (training_again,) = folded([*begun, *epochs, watched, epochs[2]]).trainings
    assert training_again.watched == training.watched
    (unlike,) = folded([*begun, an_epoch(1)]).trainings
    assert unlike.watched is not None
    assert unlike.watched.predicted == ()


def test_the_share_of_the_whole_never_falls_and_ends_at_one() -> None:
    progress, shares = LoggedProgress(), []
    for n, event in enumerate(of_two_folds(), start=1):
        progress = fold_event(progress, event, 100.0 + n)
        shares.append(progress.share)
    assert shares == sorted(shares)
    assert shares[7] < shares[8] == pytest.approx(1 / 3, abs=0.1)  # the last of the three trainings takes longer
    assert shares[10] == pytest.approx(2 / 3, abs=0.2)
    assert shares[-2] <= 0.99
    assert shares[-1] == 1


@given(st.lists(st.sampled_from([*of_two_folds(), an_epoch(1), an_epoch(2, fold=1), a_step(2, 3)]), max_size=30))
def test_whatever_order_events_come_in_shares_stay_shares(events: list[Event]) -> None:
    progress = LoggedProgress(has_pretraining=True)
    for n, event in enumerate(events):
        before, progress = progress.share, fold_event(progress, event, float(n))
        assert before <= progress.share <= 1
        assert 0 <= progress.training_share <= 1


def test_folds_are_trainings_of_their_own() -> None:
    trainings = folded([*of_two_folds()[:-1], an_epoch(1)]).trainings
    assert [(training.fold, len(training.epochs)) for training in trainings] == [(1, 0), (2, 0), (None, 1)]
    assert trainings[0].tested == FoldTestScores(accuracy=0.9, macro_f1=0.8)
    assert trainings[0].instant is not None
    assert (trainings[0].instant.val_accuracy, trainings[0].n_epochs) == (0.5, 2)


def test_a_first_training_on_other_images_is_half_of_the_whole() -> None:
    first = [
        PLAN,
        replace(PLAN, is_pretraining=True),
        RunStarted(run="a/first", n_train=9, n_val=3, n_test=0, classes=("x", "y"), is_pretraining=True),
        StageStarted(stage="finetune", n_epochs=3, is_pretraining=True),
        an_epoch(3, is_pretraining=True),
        ClassifierSelected(stage="finetune", epoch=3, is_pretraining=True),
        *(Progressed(stage="predicting", done=k, total=9, is_pretraining=True) for k in range(9)),
    ]
    reading = Progressed(stage="reading-images", done=9, total=10)
    assert folded([reading], LoggedProgress(has_pretraining=True)).share == 0.0
    progress = folded(first, LoggedProgress(has_pretraining=True))
    assert progress.share == pytest.approx(0.5, abs=0.05)
    events = [RunStarted(run="a", n_train=6, n_val=2, n_test=2, classes=("a", "b")), an_epoch(1)]
    progress = folded(events, progress)
    assert [(training.is_pretraining, training.parts) for training in progress.trainings] == [
        (True, SplitCounts(n_train=9, n_val=3, n_test=0)),
        (False, SplitCounts(n_train=6, n_val=2, n_test=2)),
    ]
    assert 0.45 < progress.share < 1


def test_a_step_has_the_number_of_epochs_if_their_beginning_was_not_seen() -> None:
    assert fold_event(LoggedProgress(), a_step(31, 2, n_epochs=60), 0.0).n_epochs == 60


def test_where_it_is_within_an_epoch_is_known_until_something_else_is_counted() -> None:
    events = [StageStarted(stage="finetune", n_epochs=3), an_epoch(1), a_step(2, 3)]
    progress = folded(events)
    assert progress.step is not None
    assert (progress.step.epoch, progress.step.step, progress.step.n_steps, progress.n_epochs) == (2, 3, 4, 3)
    measuring = fold_event(progress, Progressed(stage="predicting", done=1, total=2, seconds_left=4.0), 104.0)
    assert measuring.work is not None
    assert (measuring.step, measuring.stage, measuring.work.done) == (None, "measuring", 1)


def test_an_epoch_that_is_repeated_after_resuming_replaces_the_earlier_one() -> None:
    events = [an_epoch(1, is_best=True), an_epoch(2), an_epoch(3, is_best=True), an_epoch(2, val_f1=0.7, is_best=True)]
    (training,) = folded(events).trainings
    assert [(epoch.epoch, epoch.val_f1) for epoch in training.epochs] == [(1, 0.5), (2, 0.7)]
    assert training.selected_epoch == 2
    (training,) = folded([*events[:3], an_epoch(2)]).trainings
    assert training.selected_epoch is None  # that of the epochs that are left is not known before the next better one


def test_where_the_last_epoch_is_kept_none_is_marked_before() -> None:
    begun = StageStarted(stage="finetune", n_epochs=3, checkpoint_selection="last")
    epochs = [an_epoch(k, is_best=k == 1) for k in (1, 2, 3)]
    (training,) = folded([begun, *epochs]).trainings
    assert (training.checkpoint_selection, training.selected_epoch, training.selected_stage) == ("last", None, None)
    selected = ClassifierSelected(stage="finetune", epoch=3, checkpoint_selection="last")
    (training,) = folded([begun, *epochs, selected]).trainings
    assert (training.selected_epoch, training.selected_stage) == (3, "finetune")
    finished = ClassifierSelected(stage="finetune", epoch=1, checkpoint_selection="best")
    (training,) = folded([begun, *epochs[:2], finished]).trainings
    assert (training.checkpoint_selection, training.selected_epoch) == ("best", 1)
    (training,) = folded([begun, *epochs, ClassifierSelected(stage="instant")]).trainings
    assert (training.selected_epoch, training.selected_stage) == (None, "instant")


def test_each_stage_has_the_time_that_passed_in_it() -> None:
    events = [
        Progressed(stage="reading-images", done=1, total=2),  # at 101
        Progressed(stage="reading-images", done=2, total=2),
        StageStarted(stage="instant"),  # at 103
        InstantClassifierFitted(seconds=0.5, val_accuracy=0.5, val_macro_f1=0.4),
        StageStarted(stage="finetune", n_epochs=2),  # at 105
        an_epoch(1),
        an_epoch(2),
        ClassifierSelected(stage="finetune", epoch=2),  # at 108
        Progressed(stage="predicting", done=1, total=1),
    ]
    progress = folded(events)
    stages = [(stage.stage, stage.seconds, stage.since) for stage in progress.stages]
    assert stages == [
        ("reading", 2.0, None),
        ("instant", 2.0, None),
        ("finetune", 3.0, None),
        ("measuring", 1.0, 109.0),
    ]
    ended = fold_event(progress, RunEnded(run="a", state="done"), 111.0)
    assert [(stage.seconds, stage.since) for stage in ended.stages][-1] == (3.0, None)


def test_a_resumed_training_reads_its_images_again_without_progress() -> None:
    before = folded([StageStarted(stage="finetune", n_epochs=4), an_epoch(1, n_epochs=4)])
    for work in ("reading-images", "preprocessing-images"):
        progress = folded([Progressed(stage=work, done=9, total=9)], before)
        assert (progress.stage, progress.share) == ("reading", before.share)


def test_the_network_that_fine_tuning_starts_from_is_epoch_0() -> None:
    start = an_epoch(0, train_loss=None, seconds_left=None, val_f1=0.4)
    (training,) = folded([StageStarted(stage="finetune", n_epochs=3), start, an_epoch(1)]).trainings
    assert [(epoch.epoch, epoch.train_loss) for epoch in training.epochs] == [(0, None), (1, 1.0)]


def test_a_loss_that_is_no_number_is_none_in_the_terminal_as_in_the_log() -> None:
    (training,) = folded([an_epoch(1, train_loss=math.nan, val_loss=math.inf)]).trainings
    assert (training.epochs[0].train_loss, training.epochs[0].val_loss) == (None, None)


def test_notes_are_kept_with_their_time() -> None:
    (note,) = folded([Noted(text="<script>", level="warning")]).notes
    assert (note.time, note.level, note.text) == (101.0, "warning", "<script>")


def test_events_come_back_from_json_as_they_were() -> None:
    events = [
        *of_two_folds(),
        an_epoch(1, is_pretraining=True),
        Noted(text="é"),
        Noted(code="few-groups", text="a", parameters={"n": 3}, remedies=(Set("split.folds", 5), CleanCache())),
        RunStarted(run="a", n_train=1, n_val=2, n_test=3, classes=("a", "b")),
        CheckpointSaved(path="checkpoints/a", epoch=1, is_best=True),
        ClassifierSelected(stage="finetune", epoch=1, checkpoint_selection="best"),
        WorkPlanned(
            sizes=(SetSizes(n_train=1, n_val=2, n_test=3, n_drawn=1, n_selecting=2),),
            n_reprocessed=(3,),
            n_epochs=4,
            has_instant=True,
            pace=Pace(reading=0.5),
        ),
    ]
    lines = [{"n": 1, "time": 2.0, **as_json(event)} for event in events]
    assert [from_json(line) for line in lines] == events
    assert from_json({"event": "OfALaterCoverslip"}) is None
    assert from_json({"event": "Noted"}) is None

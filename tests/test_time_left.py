"""The time that a training still takes, against trainings whose whole course is known."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from training_events import an_epoch

from coverslip.events import (
    COMPUTING_FEATURES,
    ClassifierSelected,
    Event,
    FoldEnded,
    FoldStarted,
    InstantClassifierFitted,
    Noted,
    Pace,
    Progressed,
    RunEnded,
    SetSizes,
    StageStarted,
    StepEnded,
    WorkPlanned,
)
from coverslip.experiments.estimating import plan_work
from coverslip.runs.progress import LoggedProgress, TimeLeft, fold_event, seconds_left, work_by
from coverslip.runs.recipe import Recipe
from coverslip.runs.timing import expected_epochs, total_seconds

PLAN = WorkPlanned(
    sizes=(SetSizes(n_train=300, n_val=100, n_test=100, n_drawn=300, n_selecting=100),),
    n_reprocessed=(500,),
    n_epochs=10,
    has_instant=True,
)
N_STEPS = 15
IN_FOLDS = replace(
    PLAN,
    sizes=(*3 * PLAN.sizes, SetSizes(n_train=500, n_val=0, n_test=0, n_drawn=500, n_selecting=0)),
    n_reprocessed=(500, 500, 500, 500),
)
KNOWN = Pace(reading=0.01, embedding=0.05, training=0.2, closing=20.0)


def course(plan: WorkPlanned = PLAN, n_epochs: int = 10) -> Iterator[tuple[float, Event]]:
    """Events with the seconds that passed before each: reading 5, instant 20, epochs 60 each, the rest 45."""
    yield 0.0, Progressed(stage="reading-images", done=0, total=500, per_second=100.0, seconds_left=5.0)
    yield 5.0, Progressed(stage="reading-images", done=500, total=500, per_second=100.0, seconds_left=0.0)
    yield 0.0, plan
    yield 0.0, StageStarted(stage="instant")
    for done in range(50, 401, 50):
        left = (400 - done) * 0.05
        yield 2.5, Progressed(stage=COMPUTING_FEATURES, done=done, total=400, per_second=20.0, seconds_left=left)
    yield 0.0, InstantClassifierFitted(seconds=20.0, val_accuracy=0.8, val_macro_f1=0.8)
    yield 0.0, StageStarted(stage="finetune", n_epochs=n_epochs, checkpoint_selection="last")
    for epoch in range(1, n_epochs + 1):
        for step in range(1, N_STEPS + 1):
            yield (
                54.0 / N_STEPS,
                StepEnded(
                    epoch=epoch,
                    n_epochs=n_epochs,
                    step=step,
                    n_steps=N_STEPS,
                    loss=1.0,
                    images_per_second=300 / 54,
                ),
            )
        yield 6.0, an_epoch(epoch, n_epochs=n_epochs, seconds=60.0)
    yield 0.0, ClassifierSelected(stage="finetune", epoch=n_epochs, checkpoint_selection="last")
    for done in range(25, 101, 25):
        yield 8.0, Progressed(stage="predicting", done=done, total=100, seconds_left=(100 - done) * 0.05)
    yield 13.0, RunEnded(run="a", state="done")


def shown_times(events: Iterator[tuple[float, Event]]) -> list[tuple[float, float | None]]:
    """(seconds since the start, seconds left) after each event, and the true end in the last."""
    progress, now = LoggedProgress(), 1000.0
    rows = []
    for seconds, event in events:
        now += seconds
        progress = fold_event(progress, event, now)
        rows.append((now - 1000.0, seconds_left(progress, now)))
    return rows


@pytest.mark.parametrize("plan", [PLAN, replace(PLAN, pace=KNOWN)])
def test_the_time_left_is_near_the_truth_from_the_first_steps_on_and_does_not_jump(plan: WorkPlanned) -> None:
    rows = shown_times(course(plan))
    end = rows[-1][0]
    estimates = [(at, left) for at, left in rows[:-1] if left is not None]
    assert estimates[0][0] <= 20.0, "it is known before the instant classifier is"
    for at, left in estimates:
        if at > 120.0:
            assert left == pytest.approx(end - at, rel=0.15, abs=20.0), at
    for (before, left_before), (at, left) in pairwise(estimates):
        assert left - max(0.0, left_before - (at - before)) <= 0.1 * left_before + 6.0, (at, left_before, left)


def test_where_the_measurement_was_three_times_as_slow_the_estimate_comes_down_little_by_little() -> None:
    slow = Pace(reading=0.03, embedding=0.15, training=0.6, closing=60.0)
    rows = [row for row in shown_times(course(replace(PLAN, pace=slow)))[:-1] if row[1]]
    end = 5 + 20 + 600 + 45
    assert rows[-20][1] == pytest.approx(end - rows[-20][0], rel=0.4)
    for (before, left_before), (at, left) in pairwise(rows):
        assert left_before is not None
        assert left is not None
        assert abs(left - max(0.0, left_before - (at - before))) <= 0.2 * left_before + 6.0


def test_folds_count_all_folds_and_the_training_on_all_images_after_them() -> None:
    plan = IN_FOLDS
    of_fold = [pair for pair in course(plan) if not isinstance(pair[1], RunEnded | WorkPlanned)][2:]

    def events() -> Iterator[tuple[float, Event]]:
        yield 0.0, plan
        for fold in (1, 2, 3):
            yield 0.0, FoldStarted(fold=fold, n_folds=3)
            for seconds, event in of_fold:
                yield seconds, replace(event, fold=fold)
            yield 0.0, FoldEnded(fold=fold, n_folds=3, accuracy=0.9, macro_f1=0.9)

    rows = shown_times(events())
    seconds_of_fold = sum(seconds for seconds, _ in of_fold)
    refit = 600.0 * 500 / 300 + 15.0
    after_first = next(left for at, left in rows if at == pytest.approx(seconds_of_fold) and left is not None)
    assert after_first == pytest.approx(2 * seconds_of_fold + refit, rel=0.15)
    assert rows[-1][1] == pytest.approx(refit, rel=0.2)


def test_the_first_of_two_steps_counts_the_second() -> None:
    first = replace(PLAN, is_pretraining=True, pace=KNOWN)
    progress = fold_event(fold_event(LoggedProgress(), replace(PLAN, pace=KNOWN), 0.0), first, 0.0)
    begun = StageStarted(stage="finetune", n_epochs=10, is_pretraining=True)
    progress = fold_event(progress, begun, 0.0)
    both = total_seconds(PLAN, KNOWN)
    assert progress.left is not None
    assert progress.left.seconds == pytest.approx(2 * both - 5 - 20, rel=0.05)


def test_the_fit_on_all_images_counts_where_the_instant_classifier_is_delivered() -> None:
    pace = Pace(embedding=0.05, fitting=12.0, closing=20.0)
    instant = replace(PLAN, n_epochs=0, n_reprocessed=(0,), pace=pace)
    refit = total_seconds(replace(instant, refits=True), pace) - total_seconds(instant, pace)
    assert refit == pytest.approx(12.0 + 0.05 * 100)
    assert total_seconds(replace(PLAN, refits=True), pace) == total_seconds(PLAN, pace)  # fine-tuned

    def left_after(selected: ClassifierSelected) -> float:
        progress = fold_event(LoggedProgress(), replace(PLAN, pace=pace, refits=True), 0.0)
        progress = fold_event(progress, StageStarted(stage="finetune", n_epochs=10), 0.0)
        progress = fold_event(progress, selected, 1.0)
        assert progress.left is not None
        return progress.left.seconds

    left = [left_after(ClassifierSelected(stage=stage, epoch=10)) for stage in ("instant", "finetune")]
    assert left[0] - left[1] == pytest.approx(refit)
    assert left[1] == pytest.approx(20.0 + 0.05 * (500 + 100), abs=1.0)


def test_the_share_of_the_whole_goes_with_the_time_and_ends_at_one() -> None:
    progress, now, shares = LoggedProgress(), 1000.0, []
    for seconds, event in course():
        now += seconds
        progress = fold_event(progress, event, now)
        shares.append((now - 1000.0, progress.share))
    assert [share for _, share in shares] == sorted(share for _, share in shares)
    assert shares[-1][1] == 1.0
    halfway = next(share for at, share in shares if at >= 340.0)
    assert halfway == pytest.approx(0.5, abs=0.08)


def test_time_in_which_no_process_worked_does_not_count() -> None:
    progress, now = LoggedProgress(), 0.0
    for seconds, event in list(course())[:40]:
        now += seconds
        progress = fold_event(progress, event, now)
    worked = progress.worked
    first_again = next(iter(course()))[1]
    progress = fold_event(progress, first_again, now + 9000.0)
    progress = fold_event(progress, first_again, now + 9004.0)
    assert progress.worked == pytest.approx(worked + 4.0)
    assert sum(stage.seconds for stage in progress.stages) == pytest.approx(worked + 4.0, abs=0.1)


def test_the_time_of_a_training_is_the_same_before_and_after_its_report_is_written() -> None:
    progress, now = LoggedProgress(), 0.0
    *before, (seconds, end) = course()
    for passed, event in before:
        now += passed
        progress = fold_event(progress, event, now)
    progress = fold_event(progress, Progressed(stage="writing-report", done=0, total=9), now + 1.0)
    worked = progress.worked
    for event in (Progressed(stage="writing-report", done=9, total=9), end):
        now += seconds + 30.0
        progress = fold_event(progress, event, now)
        assert progress.worked == worked > 0


def test_while_the_report_is_written_only_its_time_is_left() -> None:
    """The stage began long before the report, so that its pace is not that of the report."""
    progress, now = LoggedProgress(), 1000.0
    for seconds, event in list(course())[:-1]:
        now += seconds
        progress = fold_event(progress, event, now)
    for done in range(5):
        now += 8.0
        report = Progressed(stage="writing-report", done=done, total=5, seconds_left=8.0 * (5 - done) if done else None)
        progress = fold_event(progress, report, now)
    assert seconds_left(progress, now) == pytest.approx(8.0, abs=4.0)


def test_the_first_of_many_test_images_is_no_measure_of_the_others() -> None:
    """It is predicted after the classifier is loaded, so that the time of the stage is not that of an image."""
    progress, now = LoggedProgress(), 1000.0
    for seconds, event in list(course(replace(PLAN, pace=KNOWN)))[:-5]:
        now += seconds
        progress = fold_event(progress, event, now)
    progress = fold_event(progress, Progressed(stage="predicting", done=1, total=100), now + 12.0)
    assert (seconds_left(progress, now + 12.0) or 0.0) < 45.0  # not 99 times 12 s


def test_time_passes_between_events() -> None:
    left = TimeLeft(100.0, at=10.0)
    assert (left.by(40.0), left.by(500.0)) == (70.0, 0.0)
    assert left.corrected(200.0, 10.0).seconds == 100.0
    assert 70.0 < left.corrected(200.0, 40.0).seconds < 200.0


def test_the_time_left_is_shown_when_it_is_more_than_a_guess() -> None:
    plan = replace(PLAN, pace=KNOWN)
    first = fold_event(fold_event(LoggedProgress(), plan, 0.0), StageStarted(stage="instant"), 2.0)
    assert seconds_left(first, 2.0) is None
    assert seconds_left(fold_event(first, Noted(code="few-images", text=""), 6.0), 6.0) is not None


def test_no_time_is_left_when_the_estimate_is_used_up() -> None:
    plan, predicting = replace(PLAN, pace=KNOWN), Progressed(stage="predicting", done=9, total=10, seconds_left=30.0)
    progress = fold_event(fold_event(LoggedProgress(), plan, 0.0), ClassifierSelected(stage="finetune", epoch=5), 2.0)
    progress = fold_event(progress, predicting, 12.0)
    assert progress.left is not None
    end = 12.0 + progress.left.seconds
    assert (seconds_left(progress, end - 5.0), seconds_left(progress, end - 0.5)) == (5.0, None)
    lefts = [work.seconds_left if (work := work_by(progress, now)) else 0.0 for now in (12.0, 40.0, 41.5, 100.0)]
    assert lefts == [30.0, 2.0, None, None]
    later = fold_event(progress, Noted(code="few-images", text=""), 35.0)  # says nothing about the work
    work = work_by(later, 35.0)
    assert work is not None
    assert work.seconds_left == 7.0


def test_more_work_holds_the_share_and_makes_the_time_left_open() -> None:
    """With early stopping, every better epoch adds work; without one, the training ends after the patience."""
    plan = replace(PLAN, n_epochs=10, patience=10, pace=KNOWN)
    progress, now, shares, left = fold_event(LoggedProgress(), plan, 0.0), 0.0, [], []
    progress = fold_event(progress, StageStarted(stage="finetune", n_epochs=300), 1.0)
    for epoch in range(1, 16):
        now += 60.0
        progress = fold_event(progress, an_epoch(epoch, n_epochs=300, seconds=60.0, is_best=epoch <= 5), now)
        shares.append(progress.share)
        left.append(seconds_left(progress, now) or 0.0)
        assert progress.may_take_longer
    assert shares == sorted(shares)
    assert shares[-1] <= 0.99
    assert left[4] == pytest.approx(30 * 60.0 + 50.0, rel=0.2)  # gains until 2.5 times the patience, and the patience
    assert left[-1] < 80.0  # not the 285 epochs that may still be run
    assert not fold_event(progress, ClassifierSelected(stage="finetune", epoch=5), now).may_take_longer


def test_early_stopping_is_expected_after_the_median_of_earlier_trainings() -> None:
    assert expected_epochs(300, 10) == 35
    assert expected_epochs(20, 10) == 20
    assert expected_epochs(300, 10, epoch=5, best=5) == 35
    assert expected_epochs(300, 10, epoch=40, best=40) == 70
    assert expected_epochs(300, 10, epoch=45, best=40) == 60
    assert expected_epochs(300, 10, epoch=50, best=40) == 50


def test_a_slow_first_step_does_not_stand_for_all_that_follow() -> None:
    plan = replace(PLAN, n_epochs=10)
    progress = fold_event(LoggedProgress(pace=Pace(embedding=0.05)), replace(plan, pace=Pace(embedding=0.05)), 0.0)
    progress = fold_event(progress, StageStarted(stage="finetune", n_epochs=10), 0.0)
    step = StepEnded(
        epoch=1,
        n_epochs=10,
        step=1,
        n_steps=15,
        loss=1.0,
        images_per_second=0.5,
    )
    slow = fold_event(progress, step, 40.0)
    progress = fold_event(slow, replace(step, step=15, images_per_second=6.0), 90.0)
    left = [seconds_left(each, at) for each, at in ((slow, 40.0), (progress, 90.0))]
    assert left[0] is not None
    assert left[1] is not None
    assert left[0] < 1200.0  # 2 s for each image of ten epochs would be 6000 s
    assert left[1] == pytest.approx(9 * 300 / 5.5, rel=0.5)


def test_the_training_on_all_images_after_folds_has_the_pace_of_the_folds() -> None:
    progress = fold_event(LoggedProgress(), replace(IN_FOLDS, n_epochs=2), 0.0)
    progress = fold_event(progress, an_epoch(1, n_epochs=2, seconds=0.1 * (300 + 100 / 3), fold=3), 60.0)
    pace = progress.pace.training
    progress = fold_event(progress, an_epoch(1, n_epochs=2, seconds=0.1 * 500), 200.0)
    assert pace == pytest.approx(0.1)
    assert progress.pace.training == pytest.approx(0.1)


def test_a_fold_that_keeps_the_instant_classifier_does_not_take_fine_tuning_from_the_others() -> None:
    progress = fold_event(LoggedProgress(), replace(IN_FOLDS, pace=KNOWN), 0.0)
    begin = (FoldStarted(fold=1, n_folds=3), StageStarted(fold=1, stage="finetune", n_epochs=10))
    for event in (*begin, ClassifierSelected(fold=1, stage="instant", epoch=0)):
        progress = fold_event(progress, event, 1.0)
    assert progress.left is not None
    assert progress.left.seconds > 2 * 10 * 0.2 * (300 + 100 / 3) + 10 * 0.2 * 500


def test_the_second_of_two_steps_has_a_pace_of_its_own() -> None:
    frozen = replace(PLAN, pace=replace(KNOWN, training=0.06))
    progress = fold_event(LoggedProgress(), frozen, 0.0)
    progress = fold_event(progress, replace(PLAN, is_pretraining=True, pace=KNOWN), 0.0)
    for epoch in (1, 2):
        progress = fold_event(progress, an_epoch(epoch, n_epochs=10, seconds=60.0, is_pretraining=True), 60.0 * epoch)
    progress = fold_event(progress, StageStarted(stage="finetune", n_epochs=10), 130.0)
    assert progress.pace.training == 0.06
    progress = fold_event(progress, an_epoch(1, n_epochs=10, seconds=0.05 * (300 + 100 / 3)), 150.0)
    assert progress.pace.training == pytest.approx(0.05)


def test_early_stopping_is_not_expected_without_images_that_select_an_epoch() -> None:
    plan = replace(IN_FOLDS, n_epochs=100, patience=10)
    of_all = fold_event(fold_event(LoggedProgress(), plan, 0.0), StageStarted(stage="finetune", n_epochs=100), 0.0)
    assert of_all.plan is not None
    assert of_all.plan.n_epochs == 100
    recipe = Recipe(init="scratch", epochs=100)
    without = replace(PLAN.sizes[0], n_val=0, n_selecting=0)
    assert plan_work(recipe, [without]).n_epochs == 100
    assert plan_work(recipe, PLAN.sizes).n_epochs < 100


def test_an_epoch_that_a_budget_cuts_short_does_not_make_the_pace_faster() -> None:
    begun = fold_event(LoggedProgress(), PLAN, 0.0)
    for epoch, seconds in ((1, 60.0), (2, 60.0), (3, 5.0)):
        begun = fold_event(begun, an_epoch(epoch, n_epochs=3, seconds=seconds), 60.0 * epoch)
    assert begun.pace.training == pytest.approx(60.0 / (300 + 100 / 3))

"""The expected time of a training, by the pace of earlier ones on this computer."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from drawing import write_cells
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.cache import RecordStore
from coverslip.errors import Stopped
from coverslip.events import Event, Noted
from coverslip.experiments.running.estimating import PACES
from coverslip.runs import Run, with_settings


def expected_seconds(cells: Path, out: Path, *settings: str, is_stopped: bool = False) -> float | None:
    """What a training says before it begins; it may be stopped as soon as it has said so."""
    notes: list[Noted] = []

    def listen(event: Event) -> None:
        if isinstance(event, Noted) and event.code == "expected-time":
            notes.append(event)
            if is_stopped:
                Run(out).stop_file.touch()

    data = cs.open_dataset(cells, group_pattern=GROUPS)
    with pytest.raises(Stopped) if is_stopped else nullcontext():
        cs.train(data, with_settings(INSTANT, ["model=mobilenet_v2", *settings]), out=out, emit=listen)
    [note] = notes
    seconds = note.values["seconds"]
    assert seconds is None or isinstance(seconds, float)
    return seconds


@pytest.mark.exhaustive
@pytest.mark.slow
def test_earlier_trainings_give_the_expected_time_also_those_of_networks_that_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    cells = write_cells(tmp_path / "cells", 48)
    assert expected_seconds(cells, tmp_path / "first") is None
    same = expected_seconds(cells, tmp_path / "same", is_stopped=True)
    assert same is not None
    assert 0 < same < 60
    with RecordStore(PACES, "all") as store:
        [(key, kept)] = store.find(["paces"]).items()
        store.keep({key: kept.replace(b"mobilenet_v2", b"a network of a package that was removed")})
    scaled = expected_seconds(cells, tmp_path / "scaled", "image_size=64", is_stopped=True)
    assert scaled is not None
    assert scaled > 0


@pytest.mark.slow
def test_a_training_that_found_its_features_in_the_cache_leaves_the_known_pace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    cells = write_cells(tmp_path / "cells", 48)
    finetuned = ("stage=finetune", "epochs=1")
    assert expected_seconds(cells, tmp_path / "instant") is None
    assert expected_seconds(cells, tmp_path / "tuned", *finetuned) is None  # nothing is known of its steps
    again = expected_seconds(cells, tmp_path / "again", is_stopped=True)
    tuned_again = expected_seconds(cells, tmp_path / "tuned again", *finetuned, is_stopped=True)
    assert again is not None
    assert tuned_again is not None
    assert tuned_again > again

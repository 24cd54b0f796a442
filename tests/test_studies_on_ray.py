"""Studies on a Ray cluster: what is sent to a computer and comes back, and answers that are refused."""

import contextlib
import io
import os
import shutil
import sys
import tarfile
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from drawing import write_cells
from trained import GROUPS, SMALL_NETWORK

from coverslip._version import __version__
from coverslip.errors import BadClusterAnswer, BadRun, CoverslipError
from coverslip.events import ignore
from coverslip.files import write_link
from coverslip.messages import text
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe
from coverslip.runtime.cluster import ROOTS_VARIABLE, ClusterExecutor
from coverslip.studies.cells import start_failure
from coverslip.studies.ray_executor import (
    Fingerprints,
    Sent,
    fingerprint_of_images,
    install,
    packed,
    train_on_node,
    unpack,
)
from coverslip.studies.running import Order

SMALL = Recipe.model_validate(
    {"model": SMALL_NETWORK, "image_size": 32, "tta": 1, "stage": "instant", "split": {"folds": 0}}
)


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sent:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "of the node"))
    (tmp_path / "of the node").mkdir()
    cells = write_cells(tmp_path / "cells", 40)
    return Sent(
        study="study",
        name="cell",
        order=Order((str(cells),), SMALL, GROUPS, 1),
        fingerprint=fingerprint_of_images([str(cells)]),
        begun=packed([], tmp_path),
        starts_from=None,
    )


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="users have no numbers here")
def test_a_folder_that_somebody_else_laid_ready_is_refused(sent: Sent, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "of the node" / f"coverslip-{os.getuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(CoverslipError) as refusal:
        train_on_node(__version__, sent)
    assert refusal.value.code == "training-folder-of-other-user"
    assert not list((tmp_path / "theirs").iterdir())


def test_a_folder_comes_back_as_it_was_sent_and_its_links_as_files_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "best").write_bytes(bytes(range(256)))
    write_link(tmp_path / "a" / "b" / "last", tmp_path / "a" / "b" / "best")
    for name, to in (("to a file", "b/best"), ("to a folder", ".."), ("to nothing", "gone")):
        (tmp_path / "a" / name).symlink_to(to)
    data = packed([tmp_path / "a", tmp_path / "not there"], tmp_path)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert all(member.isreg() or member.isdir() for member in archive)
    unpack(data, tmp_path / "there")
    entries = sorted(file.relative_to(tmp_path / "there").as_posix() for file in (tmp_path / "there").rglob("*"))
    assert entries == ["a", "a/b", "a/b/best", "a/b/last"]
    assert [(tmp_path / "there" / name).read_bytes() for name in entries[2:]] == [bytes(range(256))] * 2


@pytest.mark.parametrize("name", ["../out", "/out"])
def test_a_name_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    with contextlib.suppress(tarfile.TarError):
        unpack(buffer.getvalue(), tmp_path / "in" / "here")
    assert not (tmp_path / "in" / "out").exists()
    assert not Path("/out").exists()


def tar_of(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


@pytest.mark.parametrize(
    "answer",
    [
        b"no archive",
        ["no bytes"],
        tar_of(member("other-cell/metrics.json")),
        tar_of(member("../study.yaml")),
        tar_of(member("cell/a"), member("cell/link", tarfile.SYMTYPE, "a")),
        tar_of(member("cell/a"), member("cell/link", tarfile.LNKTYPE, "cell/a")),
        tar_of(member("cell/recipe.yaml"), member("cell/status.json")),
        tar_of(member("cell", tarfile.DIRTYPE)),
    ],
)
def test_an_answer_that_no_training_of_ours_gives_leaves_nothing(tmp_path: Path, answer: object) -> None:
    cells = tmp_path / "cells"
    (cells / "other-cell").mkdir(parents=True)
    (cells / "other-cell" / "metrics.json").write_text("mine")
    with pytest.raises(CoverslipError):
        install(answer, Order((), SMALL, None, 1), cells / "cell")
    assert [file.relative_to(cells).as_posix() for file in cells.rglob("*")] == [
        "other-cell",
        "other-cell/metrics.json",
    ]
    assert (cells / "other-cell" / "metrics.json").read_text() == "mine"


def with_batches(order: Order, batch_size: int) -> Order:
    return replace(order, recipe=order.recipe.model_copy(update={"batch_size": batch_size}))


@pytest.mark.slow
def test_a_run_of_another_recipe_or_with_a_damaged_file_is_refused(trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "there" / "cell")
    order = Order((), trained.recipe, None, 1)
    install(packed([tmp_path / "there" / "cell"], tmp_path / "there"), order, tmp_path / "here" / "cell")
    assert Run(tmp_path / "here" / "cell").metrics == trained.metrics
    size = trained.recipe.batch_size  # of the node, whose memory may not be sufficient for the sent batches
    data = packed([tmp_path / "there" / "cell"], tmp_path / "there")
    install(data, with_batches(order, 2 * size), tmp_path / "here" / "cell")
    with pytest.raises(BadClusterAnswer):
        install(data, with_batches(order, size - 1), tmp_path / "b" / "cell")
    with pytest.raises(BadClusterAnswer):
        install(
            packed([tmp_path / "there" / "cell"], tmp_path / "there"),
            Order((), SMALL, None, 1),
            tmp_path / "b" / "cell",
        )
    (tmp_path / "there" / "cell" / "metrics.json").write_text("[]")
    with pytest.raises(BadRun):
        install(packed([tmp_path / "there" / "cell"], tmp_path / "there"), order, tmp_path / "here" / "cell")
    assert Run(tmp_path / "here" / "cell").metrics == trained.metrics


@pytest.mark.slow
def test_a_number_of_folds_that_the_images_decide_is_no_other_recipe(trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "there" / "cell")
    recipe = trained.recipe
    order = Order((), recipe.model_copy(update={"split": recipe.split.model_copy(update={"folds": None})}), None, 1)
    install(packed([tmp_path / "there" / "cell"], tmp_path / "there"), order, tmp_path / "here" / "cell")
    assert Run(tmp_path / "here" / "cell").metrics == trained.metrics


@pytest.mark.slow
@pytest.mark.exhaustive
def test_images_may_be_in_another_folder_of_a_computer_and_the_run_comes_back_whole(
    sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(tmp_path / "cells", tmp_path / "mounted")
    monkeypatch.setenv(ROOTS_VARIABLE, f"/elsewhere=/nowhere;{tmp_path / 'cells'}={tmp_path / 'mounted'}")
    unpack(train_on_node(__version__, sent), tmp_path / "back")
    run = Run(tmp_path / "back" / "cell")
    assert run.is_done
    assert run.metrics.n
    assert run.has_classifier
    (work,) = (tmp_path / "of the node").glob("*/study")
    assert list(work.iterdir()) == []
    shutil.copytree(run.folder, work / "cell")  # as a worker leaves it that was killed at the end of its work
    unpack(train_on_node(__version__, sent), tmp_path / "again")  # nothing is trained again
    assert (tmp_path / "again" / "cell" / "metrics.json").stat().st_mtime_ns == run.metrics_file.stat().st_mtime_ns


def test_other_images_or_none_are_an_error_that_names_them(sent: Sent, tmp_path: Path) -> None:
    (tmp_path / "cells" / "small" / "one more.png").write_bytes(b"")
    unpack(train_on_node(__version__, sent), tmp_path / "back")
    different = text("different-images-on-computer", sources=str(tmp_path / "cells"))
    assert different in (start_failure(tmp_path / "back" / "cell") or "")
    gone = replace(sent, order=replace(sent.order, sources=(str(tmp_path / "gone"),)))
    unpack(train_on_node(__version__, gone), tmp_path / "back")
    assert "gone" in (start_failure(tmp_path / "back" / "cell") or "")


def test_a_computer_with_another_version_of_coverslip_is_refused(sent: Sent) -> None:
    with pytest.raises(CoverslipError) as refusal:
        train_on_node("0.0.1", sent)
    assert refusal.value.code == "error-on-computer"


def test_the_hash_of_images_is_computed_once_for_trainings_that_start_together(tmp_path: Path) -> None:
    sources, fingerprints = (str(write_cells(tmp_path / "cells", 40)),), Fingerprints()
    together = threading.Barrier(4)

    def fingerprint(_: int) -> str:
        together.wait()
        return fingerprints(sources)

    with ThreadPoolExecutor(4) as threads:
        hashes = list(threads.map(fingerprint, range(4)))
    assert len({id(each) for each in hashes}) == 1  # the same object: equal hashes computed twice would be two


def test_that_ray_is_not_installed_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CoverslipError, match="extra 'cluster'"):
        ClusterExecutor("ray", train_on_node, is_trusted=False, emit=ignore)

"""The public functions as a script calls them: what they take, and that a type checker agrees."""

from collections.abc import Callable
from pathlib import Path

import pytest
from parameters import only_first
from trained import GROUPS

import coverslip as cs
from coverslip.errors import BadRun, CoverslipError


@pytest.mark.slow
@pytest.mark.parametrize("as_argument", only_first(1, [cs.Run, Path, str]), ids=lambda kind: kind.__name__)
def test_functions_that_read_a_run_take_it_or_its_folder(
    as_argument: Callable[[Path], cs.Run | Path | str], trained: cs.Run, cells: Path, tmp_path: Path
) -> None:
    run = as_argument(trained.folder)
    image = next(cells.rglob("*.png"))
    assert cs.open_run(run) == trained
    assert cs.load_classifier(run, "cpu").classes == trained.card.classes  # type: ignore[union-attr]
    assert "coverslip" in cs.methods_text(run)
    assert cs.export(run, out=tmp_path / "a.coverslip").is_file()
    assert cs.predict(run, image, out=tmp_path / "p.csv", device="cpu").file.is_file()
    with pytest.raises(BadRun) as refused:
        cs.resume(run)
    assert refused.value.code == "run-is-finished"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_functions_that_add_to_a_run_take_it(own_run: cs.Run, cells: Path, tmp_path: Path) -> None:
    images = sorted(cells.rglob("*.png"))[:1]
    assert cs.write_report(own_run) == own_run.report_file
    assert cs.evaluate(own_run, device="cpu").metrics.metrics == own_run.metrics.metrics
    assert cs.evaluate(own_run, cs.open_dataset(cells, group_pattern=GROUPS), name="again", device="cpu").is_measured
    assert cs.decide(own_run).folder == own_run.folder
    assert cs.label_errors(own_run, device="cpu") == cs.Run(own_run.folder).label_errors
    assert cs.explain(own_run, images, out=tmp_path / "maps", device="cpu").table.is_file()
    other = cs.Run(own_run.folder.with_name("second"))
    own_run.folder.with_name("second").symlink_to(own_run.folder)
    assert len(cs.compare([own_run, other]).rows) == 2


@pytest.mark.slow
def test_a_format_that_is_not_written_is_refused(trained: cs.Run, tmp_path: Path) -> None:
    with pytest.raises(CoverslipError, match="'tiff'"):
        cs.export(trained, to="tiff", out=tmp_path / "a.tiff")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []

"""Wells and their controls: names, z-scores, Z', and the files that `summarise` writes for other programs."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from refusing import refusing

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import CoverslipError
from coverslip.evaluation.sample_proportions import Well, plate_size, wells_of, z_prime, z_score
from coverslip.reports.proportions import write_plate_map


@pytest.mark.parametrize(
    ("names", "wells"),
    [
        (["A1", "H12"], [Well("", 0, 0), Well("", 7, 11)]),
        (["plate 1/B03", "plate 2/C10"], [Well("plate 1", 1, 2), Well("plate 2", 2, 9)]),
        (["run7_P24", "run7_A01"], [Well("run7", 15, 23), Well("run7", 0, 0)]),
        (["2024-05-01_A1", "2024-05-01-B2"], [Well("2024-05-01", 0, 0), Well("2024-05-01", 1, 1)]),
        (["A1", "slide7"], None),
        (["A1", "A01", "B2"], None),  # the same well
        (["P1", "P2", "P3"], None),  # patients
        (["A1", "B25"], None),
        (["MCF1", "MDA2"], None),
        ([], None),
    ],
)
def test_wells_are_at_the_end_of_names(names: list[str], wells: list[Well] | None) -> None:
    assert wells_of(names) == (None if wells is None else dict(zip(names, wells, strict=True)))


def test_a_plate_has_96_wells_if_they_are_enough() -> None:
    assert plate_size([Well("", 7, 11)]) == (8, 12)
    assert plate_size([Well("", 7, 11), Well("", 8, 0)]) == (16, 24)


def test_controls_are_summarized_as_published() -> None:
    negative, positive = [0.1, 0.12, 0.08], [0.9, 0.86, 0.94]
    assert z_score(0.16, negative) == pytest.approx(3)  # a standard deviation of 0.02
    assert z_prime(negative, positive) == pytest.approx(1 - 3 * (0.02 + 0.04) / 0.8)
    assert z_prime(negative, [0.5]) is None
    assert z_prime(negative, negative) is None
    assert z_score(0.2, [0.1]) is None
    assert z_score(0.2, [0.1, 0.1]) is None


@pytest.fixture
def plate(trained: cs.Run, cells: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Predictions, and a table with a well of two plates and a dose for each image."""
    file, table = tmp_path / "predictions.csv", tmp_path / "wells.csv"
    cs.predict(trained, cells, out=file)
    with table.open("w", newline="") as opened, file.open(newline="") as predicted:
        writer = csv.writer(opened)
        writer.writerow(["image_id", "well", "dose"])
        for k, row in enumerate(csv.DictReader(predicted)):
            well = k % 12
            writer.writerow([row["image_id"], f"p{well % 2}/{'ABC'[well // 2 % 3]}0{1 + well // 6}", 10 * (well // 6)])
    return file, table


def test_plates_are_drawn_and_written_for_other_programs(
    plate: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, table = plate
    image, prism, tidy = (tmp_path / name for name in ("plate.svg", "prism.csv", "tidy.csv"))
    command = ["summarise", str(file), "--by", "well", "--condition", "dose", "--table", str(table)]
    command += ["--negative", "0", "--positive", "10"]
    outputs = ["--plate-map", str(image), "--prism", str(prism), "--out", str(tidy)]
    assert main([*command, *outputs, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    classes = list(printed["samples"][0]["classes"])

    titles = re.findall("<title>([^<]*)</title>", image.read_text(encoding="utf-8"))
    assert len(titles) == 12 * len(classes)
    for sample in printed["samples"]:
        for of_class in sample["classes"].values():
            assert f"{sample['sample']}: {of_class['raw']['value']:.3f}" in titles

    with prism.open(newline="", encoding="utf-8") as opened:
        header, *rows = csv.reader(opened)
    assert header == [f"{name}: {dose}" for name in classes for dose in ("0", "10")]
    column = [float(row[0]) for row in rows]
    assert column == [
        each["classes"][classes[0]]["raw"]["value"] for each in printed["samples"] if each["condition"] == "0"
    ]

    for each in printed["controls"]:
        values = {
            dose: [
                sample["classes"][each["class"]]["raw"]["value"]
                for sample in printed["samples"]
                if sample["sample"].startswith(each["plate"]) and sample["condition"] == dose
            ]
            for dose in ("0", "10")
        }
        assert (each["n_negative"], each["n_positive"]) == (3, 3)
        assert each["z_prime"] == pytest.approx(z_prime(values["0"], values["10"]))
        for sample in printed["samples"]:
            if sample["sample"].startswith(each["plate"]):
                of_class = sample["classes"][each["class"]]
                spread = np.std(values["0"], ddof=1)
                expected = (of_class["raw"]["value"] - np.mean(values["0"])) / spread if spread else None
                assert of_class["z_score"] == (None if expected is None else pytest.approx(expected))
    with tidy.open(newline="", encoding="utf-8") as opened:
        assert "z_score" in next(csv.DictReader(opened))
    assert main([*command, *outputs]) == 0  # the files may be replaced
    assert main([*command, "--plate-map", str(table)]) == 1
    assert main([*command[:-1], "none"]) == 1
    assert "dose" in table.read_text()


def test_samples_that_are_no_wells_are_not_drawn(tmp_path: Path) -> None:
    with refusing(CoverslipError, "samples-are-no-wells") as refused:
        write_plate_map(["patient 7"], {"a": {"patient 7": 0.5}}, tmp_path / "plate.svg")
    assert refused.value.file == tmp_path / "plate.svg"
    assert not list(tmp_path.iterdir())

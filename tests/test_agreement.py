"""Agreement of readers: published and independent values, tables, and the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusing

import coverslip as cs
from coverslip.audit.readings import read_readings
from coverslip.cli import main
from coverslip.errors import BadDataset, CoverslipError
from coverslip.evaluation.comparison import agreement_of

COHEN = ((88, 14, 18), (10, 40, 10), (2, 6, 12))  # Cohen 1960, table 2, as counts of 200: kappa .492
CLASSES = ("a", "b", "c")


def labels_of(counts: tuple[tuple[int, ...], ...]) -> tuple[list[str], list[str]]:
    cells = [(i, j) for i, row in enumerate(counts) for j, n in enumerate(row) for _ in range(n)]
    return [CLASSES[i] for i, _ in cells], [CLASSES[j] for _, j in cells]


def test_kappa_of_the_published_example() -> None:
    compared = agreement_of(*labels_of(COHEN), CLASSES)
    assert compared.n == 200
    assert compared.agreement.value == pytest.approx(0.70)
    assert compared.kappa.value == pytest.approx(0.492, abs=5e-4)
    assert compared.counts == COHEN
    # The standard error for large samples (Fleiss, Cohen and Everitt 1969) of these counts.
    half = 1.96 * standard_error(np.array(COHEN) / 200, 200)
    assert compared.kappa.low == pytest.approx(0.4915 - half, abs=0.012)
    assert compared.kappa.high == pytest.approx(0.4915 + half, abs=0.012)


def standard_error(p: np.ndarray, n: int) -> float:
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, chance = np.trace(p), float(rows @ columns)
    kappa = (observed - chance) / (1 - chance)
    diagonal = sum(p[i, i] * (1 - (rows[i] + columns[i]) * (1 - kappa)) ** 2 for i in range(len(p)))
    others = sum(p[i, j] * (columns[i] + rows[j]) ** 2 for i in range(len(p)) for j in range(len(p)) if i != j)
    squared = diagonal + (1 - kappa) ** 2 * others - (kappa - chance * (1 - kappa)) ** 2
    return float(np.sqrt(squared / n) / (1 - chance))


@given(st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=2, max_size=60))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    first, second = map(list, zip(*pairs, strict=True))
    compared = agreement_of(first, second, CLASSES)
    if len({*first, *second}) == 1:
        assert compared.kappa.value is None
    else:
        assert compared.kappa.value == pytest.approx(cohen_kappa_score(first, second))
        assert compared.kappa.low is None or compared.kappa.low <= compared.kappa.value


def test_images_of_few_patients_make_intervals_longer() -> None:
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(12), 20)
    first = rng.choice(["a", "b"], len(patients)).tolist()
    is_difficult = (patients % 3 == 0) & (rng.random(len(patients)) < 0.8)  # errors are in some patients only
    second = [{"a": "b", "b": "a"}[label] if hard else label for label, hard in zip(first, is_difficult, strict=True)]
    alone = agreement_of(first, second, CLASSES).kappa
    grouped = agreement_of(first, second, CLASSES, [f"patient {k}" for k in patients]).kappa
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)  # type: ignore[operator]  # both have intervals


def test_tables_of_two_readers_are_compared_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = labels_of(COHEN)
    for name, labels in (("ada", first), ("grace", second)):
        rows = "".join(f"{k}.tif;{label};p{k % 25}\n" for k, label in enumerate(labels))
        Path(f"{name}.csv").write_text(f"path;label;patient\n{rows}")
    assert main(["agreement", "ada.csv", "grace.csv", "--group", "patient", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["readers"] == {"ada": 200, "grace": 200}
    (pair,) = printed["pairs"]
    assert pair["agreement"]["kappa"]["value"] == pytest.approx(0.492, abs=5e-4)
    assert pair["agreement"]["n_groups"] == 25
    assert main(["agreement", "ada.csv", "grace.csv"]) == 0
    assert "0.492" in capsys.readouterr().out


def test_tables_of_one_name_in_two_folders_belong_to_two_readers(tmp_path: Path) -> None:
    files = [tmp_path / reader / "labels.csv" for reader in ("ada", "grace")]
    for file, label in zip(files, ("cell", "debris"), strict=True):
        file.parent.mkdir()
        file.write_text(f"path,label\n1.tif,cell\n2.tif,{label}\n", encoding="utf-8")
    compared = cs.agreement(files)
    assert compared.readers == {file.as_posix(): 2 for file in files}
    assert compared.pairs[0].agreement.agreement.value == 0.5


def test_the_group_of_an_image_is_that_of_any_table_that_states_it(tmp_path: Path) -> None:
    ada, eve = tmp_path / "ada.csv", tmp_path / "eve.csv"
    ada.write_text("path,label,patient\n" + "".join(f"{k}.tif,{'ab'[k % 2]},p{k // 5}\n" for k in range(40)))
    eve.write_text("path,label,patient\n" + "".join(f"{k}.tif,{'ab'[k % 3 == 0]},\n" for k in range(40)))
    for files in ([ada, eve], [eve, ada]):
        assert cs.agreement(files, group="patient").pairs[0].agreement.n_groups == 8
    eve.write_text(eve.read_text().replace("3.tif,b,", "3.tif,b,p7", 1))
    with refusing(CoverslipError, "readings-of-two-groups"):
        cs.agreement([ada, eve], group="patient")


def test_rows_of_one_table_belong_to_their_authors(tmp_path: Path) -> None:
    table = tmp_path / "readings.csv"
    table.write_text(
        "image_id,label,author,kind\n1,a,,label\n1,b,Ada,reading\n2,a,,label\n2,a,Ada,reading\n1,b,Eve,decision\n3,,Ada,\n"
    )
    compared = cs.agreement(table)
    assert list(compared.readers.values()) == [2, 2]
    (pair,) = compared.pairs
    assert (pair.second, pair.agreement.n, pair.agreement.agreement.value) == ("Ada", 2, 0.5)
    assert [each.label for each in read_readings(table)] == ["a", "b", "a", "a", "b"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("image_id,author\n1,Ada\n", "readings-without-columns"),
        ("image_id,label,author\n1,a,Ada\n1,b,Ada\n", "readings-of-one-image"),
        ("image_id,label,author\n1,a,Ada\n2,b,Eve\n", "readings-not-shared"),
        ("image_id,path,label\n,,a\n", "readings-without-image"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(tmp_path: Path, content: str, code: str) -> None:
    table = tmp_path / "readings.csv"
    table.write_text(content)
    with refusing(CoverslipError, code):
        cs.agreement(table)
    with refusing(BadDataset, "readings-without-group" if "label" in content else code):
        cs.agreement(table, group="patient")

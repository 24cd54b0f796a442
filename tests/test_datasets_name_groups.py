"""Groups that names of files and folders give away are found by testing, and classes are not taken for them."""

import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_runs import write_run

from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.related_images import divided_unit, groups_in_names, patterns_in_names
from coverslip.datasets.quality.scanning import Scan
from coverslip.datasets.splits.splitting import check_groups
from coverslip.errors import BadDataset
from coverslip.images.preprocessing import PixelFacts
from coverslip.images.reader import ReadPlan
from coverslip.messages import GroupBy
from coverslip.reports.reported import read_run
from coverslip.reports.verdict import evidence_of, verdict_of_run
from coverslip.runs.folder import Run
from coverslip.runs.results import write_inspection


def dataset_of(names: list[str], labels: list[str], brightness: list[float]) -> tuple[Dataset, Scan]:
    root = Path("/data")
    records = tuple(
        ImageRecord(name, root / name, label, None, "", None, ReadPlan())
        for name, label in zip(names, labels, strict=True)
    )
    facts = (
        PixelFacts(str(i), 50, 50, 1, "uint8", 8, "PNG", 1, (level / 4,), (level,), None)
        for i, level in enumerate(brightness)
    )
    return Dataset(root, "folders", records, ()), Scan(tuple(facts))


def cells_of_patients(n: int = 400, effect: float = 1.0) -> tuple[Dataset, Scan]:
    rng = np.random.default_rng(0)
    patient, label = rng.integers(0, 20, n), np.array(["a", "b"])[rng.integers(0, 2, n)]
    level = 100 + 10 * effect * rng.normal(size=20)[patient] + 10 * rng.normal(size=n)
    names = [
        f"{c}/P{p:02}_slide{rng.integers(0, 3)}_cell_{i}.png"
        for i, (c, p) in enumerate(zip(label, patient, strict=True))
    ]
    return dataset_of(names, label.tolist(), level.tolist())


def test_patients_in_names_are_found_by_how_alike_their_images_are():
    data, scan = cells_of_patients()
    first = groups_in_names(data, scan)[0]
    assert first.is_significant
    assert first.n_groups == 20
    assert first.appearance > 0.3
    assert {re.search(first.pattern, record.image_id)[1] for record in data.records} == {f"P{k:02}" for k in range(20)}


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_wrong_labels_of_images_whose_names_contain_the_class_are_no_hidden_groups(share: float) -> None:
    """`MO_12` and `MO_13` share a label because both are monocytes."""
    rng = np.random.default_rng(0)
    codes = ["BA", "EO", "LY", "MO"]
    code = np.repeat(codes, 150)
    is_wrong = rng.random(len(code)) < share
    label = np.where(is_wrong, rng.permutation(code), code)
    level = 100 + 20 * np.array([codes.index(name) for name in code]) + 10 * rng.normal(size=len(code))
    names = [f"{name}/{c}_{100_000 + i}.jpg" for i, (name, c) in enumerate(zip(label, code, strict=True))]
    data, scan = dataset_of(names, label.tolist(), level.tolist())
    assert not any(groups.is_significant for groups in groups_in_names(data, scan))
    slide = rng.integers(0, 20, len(code))
    level = level + 15 * rng.normal(size=20)[slide]
    names = [f"{name}/{c}_s{s}_{i}.jpg" for i, (name, c, s) in enumerate(zip(label, code, slide, strict=True))]
    data, scan = dataset_of(names, label.tolist(), level.tolist())
    assert groups_in_names(data, scan)[0].is_significant, "slides are found beside it"


def test_names_that_mean_nothing_and_classes_give_no_groups_away():
    data, scan = cells_of_patients(effect=0.0)
    assert not any(groups.is_significant for groups in groups_in_names(data, scan))
    kinds = ["BNE", "SNE", "LY", "MO"]
    names = [f"{'neutrophil' if k % 4 < 2 else kinds[k % 4]}/{kinds[k % 4]}_{k}.jpg" for k in range(200)]
    data, scan = dataset_of(names, [name.split("/")[0] for name in names], [100.0] * 200)
    assert not any(groups.is_significant for groups in groups_in_names(data, scan))
    assert any(groups.is_class for groups in groups_in_names(data, scan))
    labels = [name.split("/")[0] for name in names]
    labels[0] = "LY"  # one corrected label does not turn kinds of cells into groups
    data, scan = dataset_of(names, labels, [100.0] * 200)
    assert not any(groups.is_significant for groups in groups_in_names(data, scan))
    names = [f"{'abcd'[k // 50]}/{k}.jpg" for k in range(200)]  # numbered class by class
    data, scan = dataset_of(names, [name[0] for name in names], [100.0] * 200)
    assert not any(groups.is_significant for groups in groups_in_names(data, scan))


def test_copies_that_share_a_name_are_no_groups():
    """Fifty images, each four times in a row of numbers: copies resemble each other without a common patient."""
    rng = np.random.default_rng(1)
    labels, levels = np.array(["a", "b"])[rng.integers(0, 2, 50)].repeat(4), rng.normal(100, 20, 50).repeat(4)
    names = [f"{label}/cell{i // 4:02}_{i % 4}.png" for i, label in enumerate(labels)]
    data, scan = dataset_of(names, labels.tolist(), levels.tolist())
    assert inspect_dataset(data, scan).of("hidden-groups")
    copies = tuple(fact._replace(pixel_hash=str(i // 4)) for i, fact in enumerate(scan.facts))
    assert not inspect_dataset(data, Scan(copies)).of("hidden-groups")


def test_naming_the_groups_is_the_next_step_of_a_training_without_them(tmp_path: Path):
    """Also in the evidence of an exported classifier, which names no file."""
    folder = write_run(tmp_path, ("a", "b"), n_test=400)
    write_inspection(Run(folder).inspection_file, inspect_dataset(*cells_of_patients()))
    run = read_run(folder)
    (reason,) = [each for each in verdict_of_run(run).reasons if each.code == "limit-finding" and each.next_step]
    (stored,) = [each for each in evidence_of(run).reasons if each.code == "limit-finding"]
    assert reason.action == stored.parameters["action"] == "name-groups"
    assert "P0" not in str(stored.parameters)


def test_stretches_of_numbers_that_share_labels_are_found_where_names_have_no_more():
    labels = [str(label) for label in np.random.default_rng(0).integers(0, 4, 60).repeat(10)]
    names = [f"{label}/{i}.png" for i, label in enumerate(labels)]
    data, scan = dataset_of(names, labels, [100.0] * 600)
    (finding,) = inspect_dataset(data, scan).of("hidden-groups")
    assert finding.parameters["p"] < 1e-6
    assert finding.parameters["shared"] == "labels"
    assert finding.limit
    assert finding.parameters["patterns"][0]["labels"] > 0.5


def test_the_pattern_of_a_finding_is_in_its_remedy_and_not_in_its_text():
    data, scan = cells_of_patients()
    (finding,) = inspect_dataset(data, scan).of("hidden-groups")
    pattern, *_ = (each["pattern"] for each in finding.parameters["patterns"])
    assert finding.remedies == (GroupBy(pattern=pattern),)
    for sentence in (finding.text, finding.do, finding.limit):
        assert pattern not in sentence


@pytest.mark.parametrize("has_groups", [True, False])
def test_where_groups_are_named_no_others_are_proposed(has_groups):
    data, scan = cells_of_patients()
    if has_groups:
        data = replace(data, records=tuple(replace(record, group=record.path.name[:3]) for record in data.records))
    inspection = inspect_dataset(data, scan)
    assert len(inspection.of("hidden-groups")) == (not has_groups)
    assert not inspection.of("no-groups")  # where names suggest groups, one finding says so


def test_columns_of_a_table_are_tested_like_names_and_come_before_patterns_that_find_the_same():
    data, scan = cells_of_patients()
    rng = np.random.default_rng(1)

    def about(record: ImageRecord) -> tuple[tuple[str, str], ...]:
        coin, area = str(rng.integers(0, 9)), str(rng.random())
        return ("operator", coin), ("area", area), ("patient", record.path.name[:3]), ("kind", record.label or "")

    data = replace(data, records=tuple(replace(record, about=about(record)) for record in data.records))
    grouping = groups_in_names(data, scan)
    assert {groups.column for groups in grouping if groups.is_significant and groups.column} == {"patient"}
    assert grouping[0].column == "patient"
    assert not any(groups.pattern and groups.n_groups == 20 for groups in grouping)  # the same groups as the column's
    (finding,) = inspect_dataset(data, scan).of("hidden-groups")
    assert (finding.parameters["column"], finding.parameters["patterns"][0]["n_groups"]) == ("patient", 20)
    assert finding.remedies == (GroupBy("patient"),)


def test_images_without_a_value_in_a_column_neither_count_as_groups_nor_change_the_evidence():
    data, scan = cells_of_patients()
    records = [replace(record, about=(("patient", record.path.name[:3]),)) for record in data.records]
    added = [replace(records[i], image_id=f"added/{i}.png", path=Path(f"/added/{i}.png"), about=()) for i in range(80)]
    alone = replace(data, records=tuple(records))
    with_added = replace(data, records=(*records, *added))
    (before,), (after,) = (
        [groups for groups in groups_in_names(d, s) if groups.column == "patient"]
        for d, s in ((alone, scan), (with_added, Scan((*scan.facts, *scan.facts[:80]))))
    )
    assert (after.n_groups, after.is_significant) == (before.n_groups, True) == (20, True)
    assert after.appearance == pytest.approx(before.appearance, abs=0.05)


def test_the_number_of_groups_is_that_of_named_ones():
    data, scan = cells_of_patients(60)
    groups = [f"p{i % 8}" if i < 40 else None for i in range(len(data))]
    data = replace(data, records=tuple(replace(r, group=g) for r, g in zip(data.records, groups, strict=True)))
    (finding,) = inspect_dataset(data, scan).of("few-groups")
    assert finding.parameters["n_groups"] == 8


def confounded_cells() -> tuple[Dataset, Scan]:
    """Classes a and b from one slide, c from another, d from a third."""
    slide_of = {"a": "S1", "b": "S1", "c": "S2", "d": "S3"}
    labels = [label for label in "abcd" for _ in range(60)]
    names = [f"{label}/{slide_of[label]}_{i % 60 * 7}x.png" for i, label in enumerate(labels)]
    return dataset_of(names, labels, [100.0] * len(names))


def test_groups_that_hold_each_class_whole_are_reported_as_confounded_and_not_advised():
    data, scan = confounded_cells()
    inspection = inspect_dataset(data, scan).of("hidden-groups")
    (finding,) = (each for each in inspection if each.parameters["patterns"][0]["is_confounded"])
    assert finding.remedies == ()
    assert finding.limit
    for each in inspection:
        is_confounded = each.parameters["patterns"][0]["is_confounded"]
        for pattern in each.parameters["patterns"]:
            assert pattern["is_confounded"] == is_confounded
            records = [replace(r, group=re.search(pattern["pattern"], r.image_id)[1]) for r in data.records]
            with pytest.raises(BadDataset) if is_confounded else nullcontext():
                check_groups(replace(data, records=tuple(records)))


def test_named_groups_that_a_training_refuses_are_an_error_without_advice_on_folds():
    data, scan = confounded_cells()
    data = replace(data, records=tuple(replace(r, group=r.path.name[:2]) for r in data.records))
    inspection = inspect_dataset(data, scan)
    (finding,) = inspection.of("confounded-groups")
    assert finding.severity == "error"
    assert finding.parameters["groups"] == ["S1", "S2", "S3"]
    assert not [*inspection.of("few-groups"), *inspection.of("class-in-few-groups"), *inspection.of("group-is-class")]


PATIENTS = (
    *("C100P61ThinF", "C101P62ThinF", "C107P68ThinF", "C110P71ThinF", "C117P78ThinF", "C118P79ThinF"),
    *("C174P135NThinF", "C37BP2", "C42P5thin", "C51AP12thinF", "C62P23N", "C77P38ThinF"),
)


def malaria_cells(n: int = 600) -> tuple[Dataset, Scan]:
    """Names as of the NIH malaria images: many of infected cells have a word before the patient."""
    rng = np.random.default_rng(0)
    patient, label = rng.integers(0, 12, n), np.array(["Parasitized", "Uninfected"])[rng.integers(0, 2, n)]
    level = 100 + 10 * rng.normal(size=12)[patient] + 10 * rng.normal(size=n)
    words = {"Parasitized": ("", "Parasitized"), "Uninfected": ("", "")}
    names = [
        f"{c}/{words[c][i % 2]}{PATIENTS[p]}_IMG_201509{10 + p + i % 2}_14{p}{i % 4}_cell_{i}.png"
        for i, (c, p) in enumerate(zip(label, patient, strict=True))
    ]
    return dataset_of(names, label.tolist(), level.tolist())


def test_the_pattern_of_the_patient_is_first_where_others_divide_it():
    data, scan = malaria_cells()
    first, *others = groups_in_names(data, scan)
    groups = {patient: set() for patient in PATIENTS}
    for record in data.records:
        patient = next(each for each in PATIENTS if each in record.path.name)
        groups[patient].add(re.search(first.pattern, record.image_id)[1])
    assert sorted(map(len, groups.values())) == [1] * len(PATIENTS)
    assert len(set.union(*groups.values())) == first.n_groups == len(PATIENTS)
    assert not first.divided_unit
    assert any(each.divided_unit for each in others)
    (finding,) = inspect_dataset(data, scan).of("hidden-groups")
    assert finding.remedies == (GroupBy(pattern=first.pattern),)


def test_a_pattern_without_a_group_for_some_images_follows_one_that_has_it():
    data, scan = malaria_cells()
    healthy = {f"C{k}NThinF" for k in range(5, 9)}  # 4 of 100 names have no second number
    names = [
        f"{r.label}/{sorted(healthy)[i % 4] if i % 25 == 0 else r.path.name.split('_')[0]}_{i}.png"
        for i, r in enumerate(data.records)
    ]
    data, scan = dataset_of(names, [r.label or "" for r in data.records], [f.low[0] for f in scan.facts])
    tested = [each for each in groups_in_names(data, scan) if each.is_significant]
    assert not tested[0].is_partial
    assert tested[0].n_groups == len(PATIENTS) + 4
    assert any(each.is_partial and each.n_groups < tested[0].n_groups for each in tested)


def test_without_labels_patterns_that_divide_a_patient_are_not_offered():
    data, _ = malaria_cells()
    paths = [record.image_id for record in data.records]
    offered = dict(patterns_in_names(paths))
    assert {len({*names}) for names in offered.values()} >= {len(PATIENTS)}
    patients = [next(each for each in PATIENTS if each in path) for path in paths]
    for names in offered.values():
        assert len({*zip(patients, names, strict=True)}) == len(PATIENTS)


def test_groups_whose_names_contain_each_other_are_a_finding_that_joins_them():
    data, scan = malaria_cells()
    data = replace(data, records=tuple(replace(r, group=r.path.name.partition("_")[0]) for r in data.records))
    (finding,) = inspect_dataset(data, scan).of("groups-may-divide")
    assert finding.severity == "warning"
    assert finding.parameters["n"] == len(PATIENTS)
    (join,) = finding.remedies
    assert {frozenset(each) for each in join.merge.values()} == {frozenset((p, f"Parasitized{p}")) for p in PATIENTS}
    spellings = replace(
        data, records=tuple(replace(r, group=("P1", "p1", "P2")[i % 3]) for i, r in enumerate(data.records))
    )
    assert not inspect_dataset(spellings, scan).of("groups-may-divide")  # another finding names spellings


def test_a_pattern_that_divides_a_patient_is_not_advised():
    data, scan = malaria_cells()
    names = [f"{r.label}/{re.sub('p[0-9]+', 'p', r.path.name.lower())}" for r in data.records]
    data, scan = dataset_of(names, [r.label or "" for r in data.records], [f.low[0] for f in scan.facts])
    tested = groups_in_names(data, scan)
    of_names = next(each for each in tested if each.pattern == r"(?:^|/)([^-_ /]+)[-_ ]+[^/]*$")
    assert of_names.is_significant
    assert of_names.divided_unit
    assert all(each.divided_unit for each in tested if each.is_significant)  # days and times, too
    (finding,) = inspect_dataset(data, scan).of("hidden-groups")
    assert finding.remedies == (GroupBy(),)
    assert finding.parameters["unit"] == tested[0].divided_unit


def test_a_pattern_that_divides_no_patient_precedes_one_that_does():
    data, scan = malaria_cells()
    names = [r.path.name.removeprefix("Parasitized").partition("_")[0] for r in data.records]
    in_folders = [
        replace(r, path=r.path.parent / name / r.path.name, image_id=f"{r.label}/{name}/{r.path.name}")
        for r, name in zip(data.records, names, strict=True)
    ]
    (finding,) = inspect_dataset(replace(data, records=tuple(in_folders)), scan).of("hidden-groups")
    assert finding.remedies == (GroupBy(pattern=r"^(?:[^/]+/){1}([^/]+)/"),)


def fields_of_days(effect_of_day: float) -> tuple[Dataset, Scan]:
    """Cells of seven days with four fields each, numbered from 1 on each day; the lines of cells differ, too."""
    rng = np.random.default_rng(0)
    day, place = rng.integers(0, 7, 900), rng.integers(0, 4, 900)
    level = 100 + effect_of_day * rng.normal(size=7)[day] + 15 * rng.normal(size=(7, 4))[day, place]
    label = np.array(["a", "b"])[rng.integers(0, 2, 900)]
    line = np.array(["RPE", "RPE", "RPE", "HeLa", "HeLa", "misc", "misc"])[day]
    names = [
        f"{c}/05-{10 + d}_{cells}_{k + 1}__{i}.tif"
        for i, (c, d, cells, k) in enumerate(zip(label, day, line, place, strict=True))
    ]
    return dataset_of(names, label.tolist(), (level + 3 * rng.normal(size=900)).tolist())


def test_groups_that_divide_days_with_similar_images_follow_the_days() -> None:
    data, scan = fields_of_days(effect_of_day=40)
    tested = [each for each in groups_in_names(data, scan) if each.is_significant]
    assert (tested[0].n_groups, tested[0].divided_unit) == (7, "")
    assert {each.divided_unit for each in tested if each.n_groups in (12, 28)} == {"05-10"}
    (finding,) = inspect_dataset(data, scan).of("hidden-groups")
    assert finding.remedies == (GroupBy(pattern=tested[0].pattern),)


def test_groups_that_divide_days_without_similar_images_stay_first() -> None:
    first = groups_in_names(*fields_of_days(effect_of_day=0))[0]
    assert (first.n_groups, first.divided_unit) == (28, "")


@pytest.mark.parametrize(
    ("names", "unit"),
    [
        (["C48P9thinF", "ParasitizedC48P9thinF"], "C48P9thinF"),
        (["C48P9thinF", "ParasitizedC48P9ThinF"], "C48P9thinF"),
        (["C48P9thinF", "C48P9ThinF"], "C48P9ThinF"),
        (["tumor_P12", "P12", "P13"], "P12"),
        (["slide1", "slide10", "slide11"], ""),
        (["1", "11", "21"], ""),
        (["A1", "AA1", "B1"], ""),
        (["ThinF", "thinF", "original"], ""),
        (["", "", "P1"], ""),
    ],
)
def test_names_that_contain_each_other_may_be_one_group(names, unit):
    assert divided_unit(names) == unit

"""Classes joined, dropped, renamed and ordered: each label is changed once, and what does not fit is said clearly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from refusing import note_of, refusing

from coverslip.datasets.index.classes import ClassPlan, check_classes, shared_class_notes, with_classes
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.datasets.splits.splitting import split_images, trained_classes
from coverslip.errors import BadRecipe
from coverslip.images.reader import ReadPlan
from coverslip.messages import Set, joined, json_values, message, text
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import check_recipe, load_recipe, save_recipe, with_settings

CLASSES = ("cis", "light", "severe", "columnar", "superficial")


def labeled(*labels: str | None) -> Dataset:
    records = tuple(
        ImageRecord(f"{i}.png", Path(f"/data/{i}.png"), label, None, "", None, ReadPlan())
        for i, label in enumerate(labels)
    )
    return Dataset(Path("/data"), "table", records, ())


def labels_after(plan: ClassPlan, *labels: str | None) -> list[str | None]:
    return [record.label for record in with_classes(labeled(*labels), plan).records]


def write_images(folder: Path, counts: dict[str, int]) -> Path:
    """Noise, another picture for each image, in class folders."""
    rng = np.random.default_rng(0)
    for label, n in counts.items():
        (folder / label).mkdir(parents=True)
        for i in range(n):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / label / f"{i}.png")
    return folder


def test_merge_rename_and_drop_give_the_labels_that_they_say() -> None:
    plan = ClassPlan(
        merge={"abnormal": ("cis", "light", "severe")}, rename={"columnar": "normal"}, drop=("superficial",)
    )
    assert labels_after(plan, *CLASSES, None, "other") == [*["abnormal"] * 3, "normal", "superficial", None, "other"]
    changed = with_classes(labeled(*CLASSES, None, "other"), plan)
    assert changed.classes == ("abnormal", "normal", "other")
    assert [changed.has_class(record) for record in changed.records] == [True] * 4 + [False, False, True]


def test_a_class_may_join_others_under_its_own_name() -> None:
    assert labels_after(ClassPlan(merge={"cis": ("cis", "light")}), "cis", "light") == ["cis", "cis"]


def test_order_comes_first_and_the_others_follow_in_natural_order() -> None:
    data = labeled("cell 10", "cell 2", "debris", "b", "a")
    assert with_classes(data, ClassPlan(order=("debris", "b"))).classes == ("debris", "b", "a", "cell 2", "cell 10")


@given(
    st.lists(st.sampled_from(CLASSES), unique=True),
    st.integers(0, 5),
    st.integers(0, 5),
    st.lists(st.none() | st.sampled_from([*CLASSES, "abnormal", "new", "other"])),
)
def test_labels_that_are_changed_already_stay_as_they_are(
    named: list[str], n_merged: int, n_dropped: int, labels: list[str | None]
) -> None:
    merged, dropped, rest = named[:n_merged], named[n_merged:][:n_dropped], named[n_merged:][n_dropped:][:1]
    plan = ClassPlan(
        merge={"abnormal": merged} if merged else {}, drop=tuple(dropped), rename=dict.fromkeys(rest, "new")
    )
    once = with_classes(labeled(*labels), plan)
    assert with_classes(once, plan) == once
    assert set(once.classes).isdisjoint({*merged, *dropped, *rest})


def merged_into(name: str) -> str:
    return text("class-merged", name=name)


def changed_twice(*changes: str) -> str:
    return text("class-changed-twice", label="cis", changes=" and ".join(changes))


def unknown_name(key: str, name: str, near: str | None = None) -> str:
    hint = f" {text('did-you-mean', name=near)}" if near else ""
    return text("no-image-of-class", key=f"classes.{key}", name=name, hint=hint)


def name_exists(name: str, merge: str) -> str:
    return text("class-exists", name=name, merge=f"classes.merge: {merge}")


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({"merge": {"a": ["cis"]}, "drop": ["cis"]}, changed_twice(merged_into("a"), text("class-excluded"))),
        ({"merge": {"a": ["cis"], "b": ["cis"]}}, changed_twice(merged_into("a"), merged_into("b"))),
        ({"merge": {"a": ["cis", "cis"]}}, changed_twice(merged_into("a"), merged_into("a"))),
        (
            {"drop": ["cis"], "rename": {"cis": "CIS"}},
            changed_twice(text("class-excluded"), text("class-renamed", name="CIS")),
        ),
        (
            {"rename": {"cis": "a", "light": "a"}},
            text("several-renamed", labels="'cis', 'light'", name="a", merge="merge: {a: [cis, light]}"),
        ),
        ({"merge": {"a": ["cis"]}, "rename": {"light": "a"}}, text("rename-to-merged", label="light", name="a")),
        (
            {"rename": {"cis": "light", "light": "severe"}},
            text("new-name-changed", name="light", new_name="severe"),
        ),
        ({"rename": {"cis": "light"}, "drop": ["light"]}, text("new-name-excluded", name="light")),
        ({"drop": ["cis"], "order": ["cis"]}, text("order-has-excluded-class", name="cis")),
        ({"rename": {"cis": "CIS"}, "order": ["cis"]}, text("order-has-old-name", name="cis", new_name="CIS")),
        ({"order": ["cis", "light", "cis"]}, text("order-repeats-class", name="cis", n_times=2)),
        ({"merge": {"a": []}}, "classes.merge.a"),
        ({"rename": {"cis": " "}}, "classes.rename.cis"),
        ({"drop": [True]}, "classes.drop.0 = true"),
        ({"drops": ["cis"]}, "did you mean 'classes.drop'?"),
    ],
)
def test_a_plan_that_contradicts_itself_is_one_clear_error(plan: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadRecipe) as caught:
        check_recipe({"classes": plan})
    assert sentence in str(caught.value)
    assert str(caught.value).count("classes") <= 2


@pytest.mark.parametrize(
    ("plan", "sentences"),
    [
        (ClassPlan(drop=("Sever", "xyz")), [unknown_name("drop", "Sever", "severe"), unknown_name("drop", "xyz")]),
        (ClassPlan(merge={"a": ("cis", "lihgt")}), [unknown_name("merge", "lihgt", "light")]),
        (ClassPlan(rename={"colunmar": "b"}), [unknown_name("rename", "colunmar", "columnar")]),
        (ClassPlan(rename={"cis": "light"}), [name_exists("light", "{light: [light, cis]}")]),
        (ClassPlan(merge={"light": ("cis", "severe")}), [name_exists("light", "{light: [light, cis, severe]}")]),
        (ClassPlan(order=("abnormal",)), [text("order-names-no-class", name="abnormal", hint="")]),
        (ClassPlan(merge={"all": CLASSES}), [text("too-few-classes-left", n_classes=1, classes="'all'")]),
        (ClassPlan(drop=CLASSES), [text("too-few-classes-left", n_classes=0, classes="")]),
    ],
)
def test_a_plan_that_does_not_fit_the_images_is_one_error_with_all_faults(
    plan: ClassPlan, sentences: list[str]
) -> None:
    with refusing(BadRecipe, "classes-do-not-fit", mismatches="; ".join(sentences), has_classes=True) as caught:
        check_classes(labeled(*CLASSES), plan)
    assert caught.value.parameters["classes"].startswith("'cis', 'columnar'")


def test_a_plan_that_fits_is_accepted() -> None:
    check_classes(labeled(*CLASSES), ClassPlan())
    plan = ClassPlan(
        merge={"light": ("light", "cis")}, drop=("severe",), rename={"columnar": "x"}, order=("x", "light")
    )
    check_classes(labeled(*CLASSES), plan)


def test_settings_and_files_name_classes_also_those_that_look_like_numbers(tmp_path: Path) -> None:
    settings = ["classes.drop=[a, 7]", "classes.merge={abnormal: [x, y z], '1': [0, 2]}", "classes.order=abnormal"]
    plan = with_settings(Recipe(), settings).classes
    assert plan.drop == ("a", "7")
    assert plan.merge == {"abnormal": ("x", "y z"), "1": ("0", "2")}
    assert plan.order == ("abnormal",)
    assert with_settings(Recipe(), ["classes.merge.abnormal=[x, y]"]).classes.merge == {"abnormal": ("x", "y")}
    save_recipe(Recipe(classes=plan), tmp_path / "recipe.yaml")
    assert load_recipe(tmp_path / "recipe.yaml").classes == plan


def test_names_are_compared_as_labels_are() -> None:
    decomposed, composed = "ne\u0301crose", "n\u00e9crose"
    assert labels_after(ClassPlan(rename={f" {decomposed} ": "dead"}), composed) == ["dead"]


def test_a_flow_mapping_without_spaces_says_where_they_belong() -> None:
    with pytest.raises(BadRecipe, match="a space must follow each colon"):
        with_settings(Recipe(), ["classes.merge={a:[x,y]}"])


def test_equal_pixels_are_a_conflict_only_while_their_classes_differ(tmp_path: Path) -> None:
    folder = write_images(tmp_path, {"a": 6, "b": 6, "c": 6})
    (folder / "b" / "twin.png").write_bytes((folder / "a" / "0.png").read_bytes())
    data = open_dataset(folder)

    def left_out(plan: ClassPlan) -> dict[str, str]:
        changed = with_classes(data, plan)
        split = split_images(changed, scan_images(changed), val=0.2, test=0.2, seed=0)
        pairs = zip(changed.records, split.reasons, strict=True)
        return {record.image_id: reason for record, reason in pairs if reason}

    assert set(left_out(ClassPlan())) == {"a/0.png", "b/twin.png"}
    assert left_out(ClassPlan(merge={"ab": ("a", "b")})) == {}
    dropped = left_out(ClassPlan(drop=("b",)))
    assert len(dropped) == 7
    assert set(dropped.values()) == {"on request: the class b is dropped"}


def test_dropped_images_are_reported_by_class_and_take_no_part(tmp_path: Path) -> None:
    folder = write_images(tmp_path, {"a": 8, "b": 8, "dirt": 5, "fold": 2})
    (folder / "dirt" / "torn.png").write_bytes(b"\x89PNG")
    (folder / "stray.png").write_bytes((folder / "a" / "0.png").read_bytes())
    data = with_classes(open_dataset(folder), ClassPlan(drop=("dirt", "fold"), order=("b",)))
    scan = scan_images(data)
    split = split_images(data, scan, val=0.2, test=0.2, seed=0)
    assert trained_classes(data, split) == ("b", "a")
    counts = (message("images-of-class", n_images=n, label=label) for n, label in ((6, "dirt"), (2, "fold")))
    classes = json_values({"classes": joined(counts, "list-of-messages")})
    assert note_of(split.notes, "dropped").parameters == {"n_images": 8, **classes}
    assert note_of(split.notes, "excluded").parameters == {"n_images": 1, "reason": "no-label"}
    inspection = inspect_dataset(data, scan)
    assert inspection.classes == {"b": 8, "a": 8}
    assert inspection.n_unlabeled == 1


def test_a_dropped_class_on_two_sides_of_a_predefined_split_is_no_leakage(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for side in ("train", "val", "test"):
        write_images(tmp_path / side, {"dirt": 1})
        for label in ("a", "b"):
            (tmp_path / side / label).mkdir()
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(tmp_path / side / label / "0.png")
    data = with_classes(open_dataset(tmp_path), ClassPlan(drop=("dirt",)))  # the same picture three times
    split = split_images(data, scan_images(data), val=0.2, test=0.2, seed=0)
    assert sorted(split.parts) == ["excluded"] * 3 + ["test"] * 2 + ["train"] * 2 + ["val"] * 2


def of_sets(**labels: tuple[str | None, ...]) -> Dataset:
    """Images of several sets, each called by its name; those of a set `_` do not know that there are others."""
    records = tuple(
        ImageRecord(f"{name}/{i}.png", Path(f"/data/{name}/{i}.png"), label, None, name.strip("_"), None, ReadPlan())
        for name, of_set in labels.items()
        for i, label in enumerate(of_set)
    )
    return Dataset(Path("/data"), "table", records, ())


def labels_by_set(
    plan: ClassPlan, known_classes: tuple[str, ...] = (), **labels: tuple[str | None, ...]
) -> list[str | None]:
    return [record.label for record in with_classes(of_sets(**labels), plan, known_classes).records]


TWO = {"blood": ("1", "normal", None), "pap": ("1", "normal", "severe")}


def test_each_set_can_have_classes_of_its_own() -> None:
    apart = labels_by_set(ClassPlan(by_domain=True), **TWO)
    assert apart == ["blood/1", "blood/normal", None, "pap/1", "pap/normal", "pap/severe"]
    plan = ClassPlan(
        by_domain=True, merge={"healthy": ("blood/normal", "pap/normal")}, rename={"pap/1": "1"}, drop=("pap/severe",)
    )
    check_classes(of_sets(**TWO), plan)
    assert labels_by_set(plan, **TWO) == ["blood/1", "healthy", None, "1", "healthy", "pap/severe"]
    assert with_classes(of_sets(**TWO), plan).classes == ("1", "blood/1", "healthy")


def test_a_class_of_one_set_can_be_named_while_others_are_shared() -> None:
    plan = ClassPlan(rename={"pap/normal": "healthy"}, drop=("blood/1",))
    check_classes(of_sets(**TWO), plan)
    assert labels_by_set(plan, **TWO) == ["blood/1", "normal", None, "1", "healthy", "severe"]
    assert with_classes(of_sets(**TWO), plan).classes == ("1", "healthy", "normal", "severe")
    own_first = ClassPlan(rename={"pap/normal": "healthy", "normal": "usual"})
    assert labels_by_set(own_first, **TWO) == ["1", "usual", None, "1", "healthy", "severe"]


def test_sets_that_call_the_same_classes_otherwise_are_joined_by_a_map() -> None:
    plan = ClassPlan(merge={"1": ("1", "01"), "2": ("2", "02")})
    joined = of_sets(qband=("01", "02"), gband=("1", "2"))
    check_classes(joined, plan)
    assert with_classes(joined, plan).classes == ("1", "2")
    with refusing(BadRecipe, "classes-do-not-fit", mismatches=name_exists("1", "{1: [1, qband/01]}")):
        check_classes(joined, ClassPlan(rename={"qband/01": "1"}))
    swapped = ClassPlan(merge={"x": ("qband/01", "gband/2")}, rename={"gband/1": "01"})  # no image is left in '01'
    check_classes(joined, swapped)
    assert [record.label for record in with_classes(joined, swapped).records] == ["x", "02", "01", "x"]


def test_one_set_by_itself_is_called_after_its_folder_and_known_names_stay() -> None:
    plan, known_classes = ClassPlan(by_domain=True, rename={"pap/1": "one"}), ("one", "pap/normal", "blood/1")
    alone = replace(of_sets(_=("1", "normal", "one", "blood/1", "pap/normal", "new")), root=Path("/elsewhere/pap"))
    changed = [record.label for record in with_classes(alone, plan, known_classes).records]
    assert changed == ["one", "pap/normal", "one", "blood/1", "pap/normal", "pap/new"]


def test_a_plan_that_names_a_set_wrongly_gets_the_nearest_class() -> None:
    for plan, sentence in [
        (ClassPlan(by_domain=True, drop=("severe",)), unknown_name("drop", "severe", "pap/severe")),
        (ClassPlan(drop=("papp/severe",)), unknown_name("drop", "papp/severe", "pap/severe")),
        (
            ClassPlan(by_domain=True, order=("normal",)),
            text("order-names-no-class", name="normal", hint=f" {text('did-you-mean', name='blood/normal')}"),
        ),
        (ClassPlan(rename={"pap/normal": "severe"}), name_exists("severe", "{severe: [severe, pap/normal]}")),
    ]:
        with refusing(BadRecipe, "classes-do-not-fit", mismatches=sentence) as caught:
            check_classes(of_sets(**TWO), plan)
        names = "'blood/1', 'blood/normal', 'pap/1'" if plan.by_domain else "'1', 'normal', 'severe'"
        assert caught.value.parameters["classes"].startswith(names)


def test_classes_of_one_name_in_two_sets_are_noted_unless_the_recipe_speaks_of_them() -> None:
    [note] = shared_class_notes(of_sets(**TWO))
    assert note.code == "shared-classes"
    assert note.parameters == {"domains": "'blood', 'pap'", "names": "'1', 'normal'", "classes": ["1", "normal"]}
    assert note.remedies == (Set("classes.by_domain", True),)
    for plan in (
        ClassPlan(by_domain=True),
        ClassPlan(merge={"1": ("1",), "normal": ("normal",)}),
        ClassPlan(drop=("1",), rename={"pap/normal": "healthy"}),
    ):
        assert shared_class_notes(with_classes(of_sets(**TWO), plan)) == []
    assert shared_class_notes(of_sets(a=("1", "2"), b=("3", None))) == []


def test_inspect_shows_which_classes_two_folders_share(tmp_path: Path) -> None:
    folders = [write_images(tmp_path / "one", {"1": 2, "x": 2}), write_images(tmp_path / "two", {"1": 2, "y": 2})]
    data = open_dataset(folders)
    inspection = inspect_dataset(data, scan_images(data))
    assert inspection.domains == {"one": 4, "two": 4}
    assert note_of(inspection.notes, "shared-classes").parameters["classes"] == ["1"]

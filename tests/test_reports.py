"""The report of a run folder: self-contained, honest about what is missing, and safe with any class name."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score
from synthetic_runs import BLOOD, DOMAINS, NETWORKS, STAINS, write_run, written_study

import coverslip as cs
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadRun
from coverslip.evaluation.metrics import roc_curve
from coverslip.events import StageStarted, as_json
from coverslip.messages import in_language, text
from coverslip.reports import figures, metric_rows, reported
from coverslip.reports.blocks import Quotation, SectionContent, as_data, with_content
from coverslip.reports.metric_rows import interval_methods
from coverslip.reports.model_card import model_card_text
from coverslip.reports.page import write_report
from coverslip.reports.reported import ReportedRun, number, read_run
from coverslip.reports.sections import SECTIONS, Section, SectionText, sections_of
from coverslip.reports.sections.curves import NamedCurve, average_pr_curves, draw_roc
from coverslip.reports.sections.images import Examples, examples_of, n_duplicates
from coverslip.reports.sections.methods import methods
from coverslip.reports.sections.results import uncertain_words
from coverslip.reports.verdict import verdict_of_run
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Predictions
from coverslip.runs.recipe import Recipe
from coverslip.runs.results import CheckedClass, LabelErrors, LabelIssue, write_inspection, write_metrics
from coverslip.runs.split import write_split
from coverslip.runs.training import write_history
from coverslip.studies.report import study_sections


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return write_report(run).read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_report_is_one_small_file_that_needs_nothing_else(run, page):
    assert (run / "report.html").stat().st_size < 3_000_000
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#|figures/)[^"]*"', page)
    assert not re.findall(r"url\((?!#)", page)
    assert not re.search(r"\bnan\b", re.sub(r"base64,[\w+/=]+", "", page))


def test_figures_are_also_there_as_png_and_svg(run, page):
    for name in ("confusion_matrix", "curves", "calibration", "roc", "precision_recall"):
        with Image.open(run / "figures" / f"{name}.png") as picture:
            assert picture.width > 800
        svg = (run / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert "<text" in svg  # text stays text


def test_the_numbers_of_every_figure_lie_beside_it_as_a_table(run, page):
    linked = set(re.findall(r'href="(figures/[^"]+)"', page))
    drawings = {file.stem for file in (run / "figures").glob("*.svg")}
    assert linked == {f"figures/{name}.{kind}" for name in drawings for kind in ("svg", "png", "csv")}
    assert all((run / file).stat().st_size for file in linked)
    matrix = Run(run).metrics.confusion_matrix
    with (run / "figures" / "confusion_matrix.csv").open(encoding="utf-8", newline="") as file:
        counts = [int(row["images"]) for row in csv.DictReader(file)]
    assert counts == [n for row in matrix for n in row]


def test_excluded_images_are_counted_by_reason(run, page):
    reported = read_run(run)
    assert (len(reported.used), n_duplicates(reported)) == (1000, 1)  # the other of the two is not in the split
    reasons = f"3 {text('excluded-unreadable')}"
    assert text("methods-excluded", n_found=1003, n_excluded=3, reasons=reasons) in methods(reported)[0]


def test_equal_images_are_counted_in_one_way_by_findings_and_report(tmp_path):
    folder = write_run(tmp_path, ("a", "b"), n_test=40)
    images = tmp_path / "images"
    tested = [images / row.path for row in Run(folder).split if row.split == "test" and row.label == "a"]
    first, second, third = tested[-3:]
    for file in (second, third):
        shutil.copy(first, file)
    next(images.rglob("copy.png")).unlink()
    data = cs.open_dataset(images)
    inspection = inspect_dataset(data, scan_images(data))
    write_inspection(Run(folder).inspection_file, inspection)
    (finding,) = inspection.of("duplicates")
    assert finding.parameters == {"n_clusters": 1, "n_images": 3}
    assert n_duplicates(read_run(folder)) == 3


def test_figure_one_is_drawn_by_the_seed_and_has_a_bar_in_micrometers_if_files_have_the_scale(tmp_path):
    folder = write_run(tmp_path, ("a", "b"), n_test=40)
    first, second = (examples_of(read_run(folder)) for _ in range(2))
    assert [image.image_id for image in first.every] == [image.image_id for image in second.every]
    assert len(first.of_class["a"]) == 6
    assert (first.unit, first.side, first.bar) == ("px", 96, 20)
    with_scale = [replace(image, um_per_px=0.25 if image.label == "a" else 0.5) for image in first.every]
    of_class = {name: [image for image in with_scale if image.label == name] for name in ("a", "b")}
    measured = Examples(of_class, "µm")
    assert measured.size(of_class["a"][0]) == (24, 24)  # half as large as those of b, as they are
    assert (measured.side, measured.bar) == (48, 20)


def test_the_model_card_answers_what_the_run_knows_and_leaves_the_rest_to_its_user(run, page):
    card = Run(run).model_card_file.read_text(encoding="utf-8")
    assert "**For what** _To be filled in._" in card
    accuracy = Run(run).metrics["accuracy"]
    assert f"| Accuracy | {accuracy.value:.3f} ({accuracy.low:.3f}–{accuracy.high:.3f}) |" in card


def test_a_class_name_is_text_in_the_model_card(tmp_path):
    reported = read_run(write_run(tmp_path, ("<b>x</b> | y", "a\nb"), n_test=40, skill=2, finetuned=False))
    card = model_card_text(reported)
    assert "<b>" not in card
    assert "| \\<b\\>x\\</b\\> \\| y |" in card


def test_the_methods_text_can_be_had_from_python(run):
    text = cs.methods_text(run)
    assert text.split("\n\n")[0] in model_card_text(read_run(run)).replace("\\", "")
    assert "coverslip 0.1.0, Python 3.11.9, PyTorch 2.9.0, timm 1.0.20" in text
    assert "accuracy, balanced accuracy, macro-F1" in text


@pytest.mark.slow
def test_writing_it_twice_gives_the_same_bytes(run, page):
    assert write_report(run) == run / "report.html"
    assert (run / "report.html").read_text(encoding="utf-8") == page


@pytest.mark.slow
def test_headline_and_numbers_are_those_of_metrics_json(run, page):
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    right = int(np.trace(metrics["confusion_matrix"]))
    assert f"{right} of 200 test images are classified correctly." in page
    assert f"{100 * metrics['metrics']['accuracy']['value']:.1f}" in page
    assert "width: 96 to 120 px, median 96; height: 96 px; format: PNG; bit depth: 8; channels: 3" in page
    shown = metric_rows.metrics(cs.open_run(run).metrics)
    assert {metric.name for metric in shown} == set(metrics["metrics"])
    for metric in shown:
        assert str(metric_rows.estimate(metric).value) in page


def test_the_most_confident_error_comes_first_and_is_shown_as_a_picture(run, page):
    with (run / "predictions.csv").open(encoding="utf-8", newline="") as file:
        wrong = [row for row in csv.DictReader(file) if row["label"] != row["predicted"]]
    surest = max(wrong, key=lambda row: float(row["probability"]))
    shown = re.findall(r'<span class="file" title="([^"]*)"', page)
    assert shown[0] == surest["image_id"]
    assert page.count("data:image/webp;base64,") == min(len(wrong), 12)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_of_many_classes_the_worst_come_first_and_the_whole_stands_behind_a_fold(tmp_path):
    classes = [f"kind {k}" for k in range(40)]
    folder = write_run(tmp_path, classes, n_test=400)
    page = write_report(folder).read_text(encoding="utf-8")
    f1 = {name: scores.metrics["f1"].value for name, scores in Run(folder).metrics.per_class.items()}
    by_class = page[page.index("Metrics per class") :]
    first = re.findall(r"<tr><th[^>]*><span class=.name.>\d+\. (kind \d+)", by_class)[:12]
    assert [f1[name] for name in first] == sorted(value for value in f1.values() if value is not None)[:12]
    assert "<details><summary>All 40 classes</summary>" in by_class
    assert "predicted as</th><th>images" in page
    assert (folder / "figures" / "most_confused.svg").is_file()
    assert "<image" in (folder / "figures" / "confusion_matrix.svg").read_text(encoding="utf-8")  # no 1600 squares


@pytest.mark.exhaustive
@pytest.mark.slow
def test_few_groups_and_missing_groups_are_reported(page, tmp_path):
    assert "The test set has only" in page
    alone = write_report(write_run(tmp_path, n_groups=0, n_test=60)).read_text(encoding="utf-8")
    assert "No groups are known." in alone
    assert "There are only 60" in alone


def test_a_finding_that_limits_the_numbers_is_reported_and_others_are_not(page):
    duplicates = {"n_images": 2, "n_clusters": 1}
    assert text("finding-duplicates", **duplicates) in page
    assert text("finding-duplicates.limit", **duplicates) in page
    assert "No groups are known." not in page


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_single_test_group_is_reported(tmp_path):
    made = write_run(tmp_path, ("a", "b"), n_groups=1, n_test=40)
    assert "has only 1 group" in write_report(made).read_text(encoding="utf-8")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_per_image_scaling_is_reported(tmp_path):
    made = write_run(tmp_path, n_test=60, recipe=Recipe(scaling="per-image"))
    assert "limit-scaled-per-image" in {reason.code for reason in verdict_of_run(read_run(made)).reasons}


@pytest.mark.slow
def test_a_run_that_stopped_after_the_instant_head_has_no_curves(tmp_path):
    made = write_run(tmp_path, ("G1", "S"), n_test=60, finetuned=False)
    page = write_report(made).read_text(encoding="utf-8")
    assert "Training curves" not in page
    assert "The network was not fine-tuned." in page
    assert not (made / "figures" / "curves.svg").exists()


@pytest.mark.slow
def test_a_training_without_validation_images_has_curves_of_training_values(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    values = dict.fromkeys(("val_loss", "val_accuracy", "val_precision", "val_recall", "val_f1"))
    history = [replace(row, **values) for row in Run(run).history]
    write_history(tmp_path / "run" / "history.csv", history)
    assert "curves" in {section.name for section in sections_of(read_run(tmp_path / "run"))}
    figure = figures.curves(history, None)
    assert [len(axes.lines) for axes in figure.axes] == [1, 1, 1]
    history = [replace(row, train_loss=None, train_accuracy=None, train_f1=None) for row in history]
    write_history(tmp_path / "run" / "history.csv", history)
    assert "curves" not in {section.name for section in sections_of(read_run(tmp_path / "run"))}


@pytest.mark.slow
def test_class_names_are_text_and_never_markup(tmp_path):
    names = ('<script>alert("1")</script>', "a & b", "$x_1$", "mitosis / metaphase, early; very long name of a class")
    page = write_report(write_run(tmp_path, names, n_test=80)).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#34;1&#34;)" in page
    assert "$x_1$" in page


@pytest.mark.slow
def test_images_that_are_gone_leave_a_tile_that_says_so(tmp_path):
    made = write_run(tmp_path, n_test=60)
    for image in (tmp_path / "images").rglob("*.png"):
        image.unlink()
    page = write_report(made).read_text(encoding="utf-8")
    assert ">file not found<" in page
    assert "data:image/" not in page


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_perfect_result_has_no_errors_to_show(tmp_path):
    page = write_report(write_run(tmp_path, ("a", "b"), n_test=40, skill=60)).read_text(encoding="utf-8")
    assert "All 40 test images are classified correctly." in page
    assert "Most confident misclassifications" not in page


def test_a_folder_that_is_no_run_or_has_no_numbers_is_refused(run, tmp_path):
    with pytest.raises(BadRun) as refused:
        write_report(tmp_path)
    assert refused.value.code == "not-a-run"
    (tmp_path / "recipe.yaml").write_bytes((run / "recipe.yaml").read_bytes())
    with pytest.raises(BadRun) as refusal:
        write_report(tmp_path)
    assert (refusal.value.code, refusal.value.file) == ("run-without-results", tmp_path)
    for name in ("environment.json", "split.csv"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / "metrics.json").write_text("{", encoding="utf-8")
    with pytest.raises(BadRun) as refused:
        write_report(tmp_path)
    assert refused.value.code == "unreadable-run-file"
    assert refused.value.file == tmp_path / "metrics.json"


def test_sections_stand_in_their_order_and_only_where_they_have_something_to_say(run, tmp_path):
    names = [section.name for section in sections_of(read_run(run))]
    assert names[:3] == ["numbers", "confusion", "per_class"]
    of_other_runs = {
        "adapted",
        "leakage_estimate",
        "groups",
        "label_errors",
        "map_checks",
        "own-test",
        "prevalence",
        "relabeled",
        "subgroups",
        "two_classes",
        "unfamiliar",
    }
    assert set(names) == set(SECTIONS) - of_other_runs
    short = read_run(write_run(tmp_path, ("a", "b"), n_test=40, skill=60, finetuned=False))
    assert {"misclassified", "curves"}.isdisjoint(section.name for section in sections_of(short))


def test_the_time_of_a_training_is_that_of_all_its_work(tmp_path):
    run = Run(write_run(tmp_path, ("a", "b"), n_test=40, finetuned=False))
    events = (
        {"n": n, "time": time, "event": "StageStarted", **as_json(StageStarted(stage="instant"))}
        for n, time in ((1, 1000.0), (2, 1061.0))
    )
    run.events_file.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    assert read_run(run.folder).seconds_of_training == 61


def test_suspected_label_errors_are_reported_if_they_were_computed(tmp_path):
    folder = write_run(tmp_path, ("a", "b"), n_test=40, skill=2, finetuned=False)
    issue = LabelIssue(image_id="x", path="x.png", label="a", suggested="b", score=0.97, split="train")
    classes = (CheckedClass(name="a", n=20, n_misclassified=1), CheckedClass(name="b", n=5, n_misclassified=None))
    LabelErrors(checked_by="folds", classes=classes, n_not_checked=5, n_suspected=1, images=(issue,)).write(
        Run(folder).label_errors_file
    )
    reported = read_run(folder)
    assert "label_errors" in {section.name for section in sections_of(reported)}
    first, text, _ = SECTIONS["label_errors"].blocks(reported)
    assert "1 of 20 labels" in first.words[0]
    assert list(text.rows[0][:4]) == ["x", "training", "a", "b"]


def test_of_two_classes_it_says_what_answers_are_worth_where_one_is_rarer(tmp_path):
    reported = read_run(write_run(tmp_path, ("a", "b"), n_test=40, skill=2, finetuned=False))
    (text,) = SECTIONS["prevalence"].blocks(reported)
    of_b = reported.metrics.per_class["b"].metrics
    sensitivity, specificity = of_b["recall"].value, of_b["specificity"].value
    ppv = sensitivity * 0.01 / (sensitivity * 0.01 + (1 - specificity) * 0.99)
    row = next(row for row in text.rows if row[0] == "1.0%")
    assert str(row[1]).startswith(f"{ppv:.3f}"[:4])
    prevalence = reported.metrics.per_class["b"].n / reported.metrics.n
    (measured,) = (row for row in text.rows if row[0] == f"{prevalence:.1%}")
    assert str(measured[1]).startswith(number(of_b["precision"].value, of_b["precision"].digits))
    assert str(measured[2]).startswith(number(of_b["npv"].value, of_b["npv"].digits))


def test_every_section_says_something_that_any_page_can_show(run):
    reported = read_run(run)
    for section in sections_of(reported):
        blocks = [block for block in section.blocks(reported) if isinstance(block, SectionText)]
        assert all(len(row) == len(block.columns) for block in blocks for row in block.rows), section.name
        assert [*with_content([section.content(reported)])], section.name


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_section_that_is_new_stands_in_the_report_without_more(run):
    def blocks(reported):
        yield SectionText([f"{len(reported.classes)} & more"], ("class", "images"), [(name, "1") for name in BLOOD])

    SECTIONS.add(Section(name="dirt", title=lambda: "Dirt on the slide", order=250, blocks=blocks))
    try:
        page = write_report(run).read_text(encoding="utf-8")
    finally:
        SECTIONS.remove("dirt")
    assert page.index("Confusion matrix") < page.index("Dirt on the slide") < page.index("Metrics per class")
    assert '<p class="note">8 &amp; more</p>' in page
    assert '<span class="name">platelet</span></th><td>1</td>' in page
    assert "Dirt on the slide" not in write_report(run).read_text(encoding="utf-8")


def test_the_methods_paragraph_names_the_machine(page):
    assert "on Abacus 3000 with 4 threads" in page


@pytest.mark.parametrize(
    ("epochs", "has_changed"), [("auto", True), (20, True), (200, False)], ids=["auto", "changed", "ended before"]
)
def test_the_methods_name_the_second_optimizer_only_if_it_was_used(
    tmp_path: Path, epochs: int | str, has_changed: bool
) -> None:
    recipe = Recipe.model_validate({"optimizer": "adam-then-sgd", "epochs": epochs})
    methods = cs.methods_text(write_run(tmp_path, ("a", "b"), n_test=20, recipe=recipe))
    assert ("SGD" in methods) == has_changed
    assert "Adam" in methods


def test_the_methods_name_only_the_gpu_that_was_used(tmp_path):
    run = Run(write_run(tmp_path, finetuned=False))
    machine = replace(run.environment.machine, gpus=("Abacus GPU", "Sextant GPU"))
    run.environment.model_copy(update={"device": "cuda", "machine": machine}).write(run.environment_file)
    methods = cs.methods_text(run.folder)
    assert "Abacus GPU" in methods
    assert "Sextant GPU" not in methods


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_methods_paragraph_says_where_precision_was_halved(run, page):
    assert "mixed precision" not in page
    file = Run(run).training_file
    record = file.read_text()
    file.write_text(record.replace('"float32"', '"bfloat16"'))
    try:
        assert "Steps were computed in mixed precision (bfloat16)." in " ".join(write_report(run).read_text().split())
    finally:
        file.write_text(record)


def test_a_class_has_the_color_of_the_app_in_the_drawings() -> None:
    """By its place among the classes, not by how hard it is."""
    label = np.repeat(np.arange(10), 6)
    probability = np.random.default_rng(0).dirichlet(np.ones(10), size=60)
    names = [f"class {k}" for k in range(10)]
    aurocs = [0.5 + 0.04 * ((7 * k) % 10) for k in range(10)]
    macro, micro = average_pr_curves(probability, label, 0.5)
    assert (macro.curve, macro.value) == (None, 0.5)
    assert micro.value == pytest.approx(
        average_precision_score(np.eye(len(names))[label], probability, average="micro")
    )
    curves = [roc_curve(probability[:, k], label == k) for k in range(len(names))]
    drawn = draw_roc([*map(NamedCurve, names, curves, aurocs)])
    shown = {text.get_text(): text for text in drawn.axes[1].texts}
    keys = [line for line in drawn.axes[1].lines if line.get_color() != figures.MUTED]
    by_height = {round(float(line.get_ydata()[0]), 3): line for line in keys}
    for k, name in enumerate(names):
        if name in shown:
            line = by_height[round(shown[name].get_position()[1], 3)]
            assert line.get_color() == figures.class_line_color(k)
            assert (line.get_linestyle() == "-") == (k < figures.N_CLASS_COLORS)


def test_a_report_has_the_look_of_the_tokens(page: str) -> None:
    look = figures.TOKENS_FILE.read_text()
    assert look in page
    style = page[page.index(look) + len(look) : page.index("</style>")]
    sizes = re.findall(r"font-size: ([^;}]+)", style)
    assert len(sizes) > 20
    assert {size for size in sizes if not size.strip().startswith("var(--type-") and not size.endswith("pt")} == set()
    themed = {figures.light_colors()[name] for name in ("text", "text-soft", "line", "data", "bad", "sunken")}
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.S))
    assert "var(--data)" in drawings
    assert not any(color in drawings for color in themed), "it would not follow the dark theme"


def test_percentages_are_rounded_as_the_numbers_beside_them() -> None:
    assert (reported.number(0.8625), reported.percent(0.8625)) == ("0.863", "86.3%")
    assert [reported.signed(value) for value in (0.0514, -0.0514, 0.0, -0.0004, 0.0004)] == [
        *("+0.051", "−0.051", "0.000", "0.000", "0.000")
    ]
    assert (reported.number(0.355, 2), reported.whole_percent(0.355)) == ("0.35", "35%")


def test_percentages_are_rounded_but_never_to_all() -> None:
    assert [reported.whole_percent(value) for value in (0.0, 0.689, 0.694, 0.9961, 1.0)] == [
        "0%",
        "69%",
        "69%",
        "99%",
        "100%",
    ]


def test_unfamiliar_images_are_neither_decided_nor_uncertain(own_run: Run) -> None:
    card = own_run.card
    assert card is not None
    assert own_run.training is not None
    calibration = own_run.training.calibration.model_copy(update={"uncertain_below": 0.5})
    training = own_run.training.model_copy(update={"calibration": calibration})
    training.write(own_run.training_file)
    rows = list(own_run.predictions)
    for i, row in enumerate(rows):
        wrong = next(name for name in card.classes if name != row.label)
        decision = ("unfamiliar", "uncertain", row.label)[min(i, 2)]
        rows[i] = replace(row, predicted=wrong if i < 1 else row.label, decision=decision)
    Predictions(rows, card.classes).write_csv(own_run.predictions_file)
    words = uncertain_words(ReportedRun(Run(own_run.folder)))
    assert f"1 of {len(rows)} images" in words
    assert words.count("100%") == 2  # the wrong one is unfamiliar
    assert "1 unfamiliar image" in words
    Predictions([replace(row, decision="uncertain") for row in rows], card.classes).write_csv(own_run.predictions_file)
    assert f"{len(rows)} of {len(rows)} images are uncertain" in uncertain_words(ReportedRun(Run(own_run.folder)))


def test_the_methods_say_which_sets_came_with_the_data(tmp_path):
    run = cs.open_run(write_run(tmp_path, n_test=60))
    assert "stratified" in cs.methods_text(run)
    environment = run.environment
    environment.model_copy(update={"predefined_sets": ("train", "val", "test")}).write(run.environment_file)
    assert "as given with the data" in cs.methods_text(run)
    assert "stratified" not in cs.methods_text(run)
    environment.model_copy(update={"predefined_sets": ("train", "test")}).write(run.environment_file)
    assert "stratified" in cs.methods_text(run)
    assert "as given with the data" in cs.methods_text(run)


def test_the_methods_say_by_which_rule_the_epoch_was_kept(tmp_path):
    run = cs.open_run(write_run(tmp_path, n_test=60, finetuned=True))
    training = run.training
    assert "keeping the last" in cs.methods_text(run)
    stages = [stage.model_copy(update={"checkpoint_selection": "best"}) for stage in training.stages[1:]]
    training.model_copy(update={"stages": (training.stages[0], *stages)}).write(run.training_file)
    assert "keeping the last" not in cs.methods_text(run)
    assert "keeping the one with the best" in cs.methods_text(run)


def test_images_without_a_known_group_are_distinguished_from_groups(tmp_path):
    run = cs.open_run(write_run(tmp_path, n_test=60))
    write_metrics(run.metrics_file, replace(run.metrics, n_groups=7, n_ungrouped=25))
    run = cs.open_run(run.folder)
    words = "7 groups and 25 images without a known group"
    assert run.metrics.n_groups == 7
    assert words in cs.methods_text(run)
    assert words in model_card_text(ReportedRun(run))


def test_the_classifier_is_fitted_to_validation_images_without_a_known_group_too(tmp_path):
    run = cs.open_run(write_run(tmp_path, n_test=60))
    apart = text("report-groups-not-in-training", is_tested_only=False)
    assert apart in ReportedRun(run).measured_groups
    rows = run.split
    n = sum(row.split == "val" for row in rows)
    run.split_file.unlink()
    write_split(run.split_file, [replace(row, group="") if row.split == "val" else row for row in rows])
    words = ReportedRun(cs.open_run(run.folder)).measured_groups
    assert n > 0
    assert text("report-ungrouped-images", n_images=n, has_folds=False) in words
    assert apart not in words


def test_texts_for_papers_say_how_many_images_have_no_known_group(tmp_path):
    run = cs.open_run(write_run(tmp_path, n_test=60))
    assert "no known group" not in cs.methods_text(run)
    rows = run.split
    alone = [replace(row, group="") if row.split == "train" and i < 7 else row for i, row in enumerate(rows)]
    n = sum(before != after for before, after in zip(rows, alone, strict=True))
    run.split_file.unlink()
    write_split(run.split_file, alone)
    run = cs.open_run(run.folder)
    assert f"{n} images have no known group" in cs.methods_text(run)
    assert f"{n} images have no known group" in model_card_text(ReportedRun(run))


def test_the_page_names_methods_of_intervals_in_the_language_of_the_reader(run):
    beginnings = []
    for language in ("en", "de"):
        with in_language(language):
            beginnings.append(text("interval-method", method="jackknife-groups"))
            assert interval_methods(read_run(run), has_details=False).startswith(beginnings[-1])
    assert len(set(beginnings)) == 2
    assert interval_methods(read_run(run)) != interval_methods(read_run(run), has_details=False)


def texts_shown(sections: list[SectionContent], folder: Path) -> set[str]:
    """Return the texts of sections and of their figures, without recipes and commands."""
    shown = set()

    def collect(data: Any) -> Iterator[str]:  # Any: JSON
        match data:
            case str():
                yield data
            case dict():
                codes = ("kind", "name", "image_id", "method", "better", "scale")
                yield from (each for key, value in data.items() if key not in codes for each in collect(value))
            case list() | tuple():
                yield from (each for value in data for each in collect(value))

    for section in sections:
        blocks = [block for block in section.blocks if not (isinstance(block, Quotation) and block.summary)]
        shown |= set(collect(asdict(as_data(replace(section, blocks=blocks)))))
        for drawing in (each for block in blocks if isinstance(block, SectionText) for each in block.drawings):
            figures.draw(drawing.name, drawing.figure, folder, title=drawing.title)
            svg = (folder / f"{drawing.name}.svg").read_text(encoding="utf-8")
            shown |= {
                re.sub(r"<[^>]*>|\s+", " ", each).strip() for each in re.findall(r"<text.*?</text>", svg, re.DOTALL)
            }
    return shown


SAME_IN_GERMAN = {"AUROC", "NPV", "PPV", "p\N{NO-BREAK SPACE}(Holm)", "onnxruntime, cpu"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["of domains", "instant, without groups", "two classes", "study"])
def test_no_text_and_no_figure_is_english_on_a_german_page(kind, tmp_path):
    classes = ("a-class", "b-class") if kind == "two classes" else BLOOD
    names = {*classes, *DOMAINS, *NETWORKS, *SAME_IN_GERMAN, "blood cells", "nuclei", f"stain: {STAINS[1]}"}

    def sections() -> list[SectionContent]:
        if kind == "study":
            return study_sections(written_study())
        run = read_run(folder)
        return [section.content(run) for section in sections_of(run)]

    if kind != "study":
        has_groups, is_of_domains = kind != "instant, without groups", kind == "of domains"
        n_groups = 40 if has_groups else 0
        folder = write_run(
            tmp_path, classes, n_test=60, n_groups=n_groups, finetuned=has_groups, has_subgroups=is_of_domains
        )
    english = texts_shown(sections(), tmp_path)
    with in_language("de"):
        german = texts_shown(sections(), tmp_path)
    words = {each for each in english & german if re.search(r"[A-Za-z]{3}", each)}
    assert {each for each in words - names if each not in "".join(NETWORKS)} == set()
    assert not [each for each in german if re.fullmatch(r"[\d−.,%]*\.\d+%?", each)], "numbers with a decimal point"

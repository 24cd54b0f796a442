"""`coverslip evaluate`: metrics of a classifier on images it was not trained on."""

from pathlib import Path
from typing import Annotated

from coverslip.cli._options import (
    AllClasses,
    AsJson,
    Columns,
    CropSize,
    Device,
    Group,
    GroupPattern,
    RescaleImages,
    argument,
    check_groups,
    columns_of,
    crop_size_of,
    one_or_all,
    option,
    usage_error,
)
from coverslip.messages import text


def evaluate(
    run: Annotated[Path, argument("RUN", "help-trained-run")],
    data: Annotated[list[str] | None, argument("DATA", "help-evaluate-data")] = None,
    group: Group = None,
    group_pattern: GroupPattern = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    rescale: RescaleImages = False,
    name: Annotated[str | None, option("--name NAME", "help-evaluate-name")] = None,
    device: Device = "auto",
    all_classes: AllClasses = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate a classifier on labeled images.

    Each metric has a 95% confidence interval (CI), which shows how much it would vary with other test images.

    Examples:

      coverslip evaluate runs/first

      coverslip evaluate runs/first other_hospital/ --name other_hospital
    """
    check_groups(group, group_pattern)
    if not data and (group or group_pattern or columns or crop_size or rescale or name):
        raise usage_error("usage-external-test-set")
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json, results_console, show_result
    from coverslip.cli.progress import shown_progress
    from coverslip.reports.reported import read_evaluation, read_run
    from coverslip.reports.verdict import verdict_as_json, verdict_of_run
    from coverslip.runs import metrics_as_json, open_run

    dataset = None
    if data:
        dataset = pipeline.open_dataset(
            one_or_all(data),
            group=group,
            group_pattern=group_pattern,
            columns=columns_of(columns),
            crop_size=crop_size_of(crop_size) or open_run(run).recipe.crop_size,
        )
    with shown_progress(notes_console()) as emit:
        evaluation = pipeline.evaluate(run, dataset, name=name, rescale=rescale, device=device, emit=emit)
    reported = read_evaluation(evaluation.folder) if data else read_run(evaluation.folder)
    if as_json:
        print_json({"verdict": verdict_as_json(verdict_of_run(reported)), **metrics_as_json(evaluation.metrics)})
    else:
        stdout = results_console()
        show_result(stdout, reported, all_classes=all_classes)
        if data:
            stdout.print(text("command-result-report", file=evaluation.report_file), soft_wrap=True)
        stdout.print(text("command-result-details", folder=evaluation.folder), soft_wrap=True)

"""The process of an export: `python -m coverslip.workspace.exports.exporting RUN FORMAT FOLDER ABOUT`.

The verified export is `FOLDER/export`. FOLDER also contains the status and the log of the process. ABOUT is JSON with
the name of the training, and authors, license and citation.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from coverslip.errors import CoverslipError, Stopped
from coverslip.events import Event
from coverslip.experiments.run_state import record_work
from coverslip.files import sha256_json, write_json
from coverslip.runs import ClassifierCard, Run, RunContext, find_classifier, open_classifier, open_run
from coverslip.stopping import Stop, signals_stop, work_stopped

CONTENT, SOURCE_FILE = "export", "source.json"


def revision_of(card: ClassifierCard) -> str:
    """Return a hash that changes if a classifier decides otherwise, for example with other thresholds."""
    return sha256_json(card.model_dump(mode="json"))


def export_into(run_folder: Path, to: str, folder: Path, about: dict[str, Any]) -> None:  # Any: JSON values
    """Export the classifier of a run, and record in `folder` how that ended.

    Raises:
        CoverslipError: the export was refused, or stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    context = RunContext(folder, stop=Stop(Run(folder).stop_file))
    with signals_stop(), record_work(context, stopped=lambda _: work_stopped()) as recorded:

        def handle(event: Event) -> None:
            recorded.emit(event)
            recorded.stop.check()

        from coverslip.inference.export import Attribution, export_to

        attribution = Attribution(tuple(about["authors"]), about["license"], about["citation"])
        run = open_run(run_folder)
        shutil.rmtree(folder / CONTENT, ignore_errors=True)
        card = open_classifier(find_classifier(run.folder)).card
        write_json(folder / SOURCE_FILE, {"format_version": 1, "revision": revision_of(card)})
        export_to(run, to, folder / CONTENT, name=about["name"], attribution=attribution, emit=handle)


def main(arguments: list[str]) -> int:
    """Export, and return the exit code. Errors are printed as one line."""
    run_folder, to, folder, about = arguments
    try:
        export_into(Path(run_folder), to, Path(folder), json.loads(about))
    except CoverslipError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 0 if isinstance(error, Stopped) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

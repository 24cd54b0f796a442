"""A listener that logs a training to MLflow."""

from pathlib import Path
from typing import Any

from coverslip.errors import require_extra
from coverslip.events import Event, RunEnded
from coverslip.listeners.scalars import is_end, scalars_of
from coverslip.messages import text
from coverslip.runs import Run

_STATES = {"done": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_EXPERIMENT = "coverslip"


class MlflowListener:
    """Logs recipe, metrics, report and model card as a run of the experiment `coverslip`.

    The environment variables of MLflow, such as `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME`, state where.

    Args:
        run_folder: of the training.
    """

    def __init__(self, run_folder: Path | str) -> None:
        require_extra("mlflow", text("extra-for-mlflow"))
        import os

        from mlflow import MlflowClient

        self._run, self._client = Run(Path(run_folder)), MlflowClient()
        self._experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        self._id: str | None = None

    def __call__(self, event: Event) -> None:
        """Log the numbers of an event; after the last event, the files."""
        values, step = scalars_of(event)
        if values and self._id is None:
            self._id = self._begin()
        if self._id is None:
            return
        for name, value in values.items():
            self._client.log_metric(self._id, name, value, step=step)
        if is_end(event) and isinstance(event, RunEnded):
            for file in (self._run.report_file, self._run.model_card_file, self._run.metrics_file):
                if file.is_file():
                    self._client.log_artifact(self._id, str(file))
            self._client.set_terminated(self._id, _STATES[event.state])
            self._id = None

    def _begin(self) -> str:
        experiment = self._client.get_experiment_by_name(self._experiment)
        experiment_id = (
            self._client.create_experiment(self._experiment) if experiment is None else experiment.experiment_id
        )
        run = self._client.create_run(experiment_id, run_name=self._run.folder.name)
        for key, value in _flat(self._run.recipe.model_dump(mode="json")).items():
            self._client.log_param(run.info.run_id, key, value)
        run_id: str = run.info.run_id
        return run_id


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:  # Any: JSON values
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat

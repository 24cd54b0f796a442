"""Jobs on the computers of a Slurm cluster: a local process submits each job, waits for its end, and cancels it.

`python -m coverslip.runtime.slurm LOG [OPTION…] -- COMMAND…` submits the command, and ends when its job ends.
The server treats the local process like a job that runs here. If this computer restarts, a running job of Slurm
continues, and its status file shows that it is alive. A job that waits is cancelled when the server has started.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from coverslip.errors import CoverslipError
from coverslip.files import sha256_json, write_json
from coverslip.machine import CORES_VARIABLE, THREAD_VARIABLES
from coverslip.messages import FAILURE_VARIABLE, failure, text

_POLL_SECONDS = 2.0
_ENDED_BY_SLURM = ("BOOT_FAIL", "CANCELLED", "DEADLINE", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT")


@dataclass(frozen=True, slots=True)
class Slurm:
    """How jobs are submitted.

    Args:
        options: of `sbatch`, such as `--partition=gpu`.
    """

    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: str) -> "Slurm":
        """Return how jobs are submitted with these options, separated by spaces.

        Raises:
            CoverslipError: a quotation mark is missing, or this computer has no `sbatch`.
        """
        try:
            names = tuple(shlex.split(options))
        except ValueError as error:
            raise CoverslipError("slurm-options", options=options, reason=str(error)) from error
        if shutil.which("sbatch") is None:
            raise CoverslipError("no-slurm")
        return cls(names)

    def submitting(self, command: Sequence[str], log: Path) -> list[str]:
        """Return the command that runs another one as a job of Slurm, whose output is appended to `log`."""
        return [sys.executable, "-P", "-m", __name__, str(log), *self.options, "--", *command]


def is_submitted(log: Path) -> bool:
    """Return whether a job whose output is appended to this file waits or runs in Slurm, if Slurm answers."""
    return bool(_run_slurm("squeue", "--noheader", "--format", "%i", f"--name={_job_name(str(log))}").stdout.strip())


def cancel_waiting(log: Path) -> None:
    """Cancel a job whose output is appended to this file, if it waits in Slurm. A running job continues."""
    _run_slurm("scancel", "--state", "PENDING", f"--name={_job_name(str(log))}")


class _Job:
    """A job of Slurm that this process submits and waits for. SIGTERM cancels it at any time."""

    def __init__(self) -> None:
        self._number = ""
        self._is_cancelled = False

    def cancel(self, *_: object) -> None:
        self._is_cancelled = True
        if self._number:
            _run_slurm("scancel", self._number)

    def submit(self, command: Sequence[str], log: str, options: Sequence[str]) -> int:
        """Submit the command; return the exit status of `sbatch`, whose errors are printed."""
        # The other computers have other numbers of cores.
        is_limited = CORES_VARIABLE in os.environ
        environment = {name: value for name, value in os.environ.items() if is_limited or name not in THREAD_VARIABLES}
        submitted = _run_slurm(
            *("sbatch", "--parsable", "--no-requeue", "--job-name", _job_name(log)),
            *(f"--output={_literal(log)}", "--open-mode", "append"),
            *(*options, "--wrap", f"exec {shlex.join(command)}"),
            environment=environment,
        )
        sys.stderr.write(submitted.stderr)
        self._number = submitted.stdout.strip().partition(";")[0]  # the name of a cluster may follow
        if self._is_cancelled:
            self.cancel()
        return submitted.returncode

    def wait(self) -> None:
        """Wait until the job has ended, also while Slurm does not answer. Print why it waits, or where it runs."""
        is_listed, printed = True, ""
        while is_listed:
            time.sleep(_POLL_SECONDS)
            listed = _run_slurm("squeue", "--noheader", "--format", "%T %R", f"--jobs={self._number}")
            state, _, where = listed.stdout.strip().partition(" ")
            if state in ("PENDING", "RUNNING") and listed.stdout != printed:
                printed = listed.stdout
                code = "slurm-waits" if state == "PENDING" else "slurm-runs"
                sys.stdout.write(f"{text(code, number=self._number, where=where.strip('()'))}\n")
                sys.stdout.flush()
            is_unknown = "Invalid job id" in listed.stderr
            is_listed = bool(state) if listed.returncode == 0 else not is_unknown

    def record_end(self) -> int:
        """Return 1 if the job failed, unless this process cancelled it.

        If Slurm ended it, such as at its time limit, this is recorded as its failure.
        """
        state = _run_slurm(
            "squeue", "--noheader", "--states", "all", "--format", "%T", f"--jobs={self._number}"
        ).stdout.strip()
        if self._is_cancelled or state in ("", "COMPLETED"):  # empty: Slurm does not answer
            return 0
        if state in _ENDED_BY_SLURM:
            reason = failure("slurm-ended-job", kind="ended", number=self._number, state=state)
            write_json(Path(os.environ[FAILURE_VARIABLE]), asdict(reason))
        return 1


def _run_slurm(
    name: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    command = [shutil.which(name) or name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def _job_name(log: str) -> str:
    """Return the name of the job with this log. A later process can recognize the job by it."""
    return f"coverslip-{sha256_json(os.path.realpath(log))[:12]}"


def _literal(path: str) -> str:
    """Return a path in which Slurm replaces nothing: "%j" would be the number of the job."""
    return path.replace("%", "%%")


def main(arguments: Sequence[str]) -> int:
    """Submit a command, and return when its job has ended: 0 if it succeeded, or this process cancelled it."""
    log, *options = arguments[: arguments.index("--")]
    job = _Job()
    signal.signal(signal.SIGTERM, job.cancel)
    status = job.submit(arguments[arguments.index("--") + 1 :], log, options)
    if status == 0:
        job.wait()
        status = job.record_end()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

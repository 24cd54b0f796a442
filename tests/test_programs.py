"""Programs that the fork server starts do what new interpreters do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import programs
import pytest
from parameters import only_first


def outcome(arguments: list[str], folder: Path) -> tuple[int, str, str]:
    """Return the exit code and the output of a command of coverslip in a working folder."""
    command = [sys.executable, "-m", "coverslip", *arguments]
    environment = {**os.environ, "COVERSLIP_CACHE": str(folder / "cache"), "COLUMNS": "100"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", only_first(1, [["train", "--wrong"], ["models", "--json"], ["--debug", "evaluate", "missing"]])
)
def test_a_program_prints_and_returns_the_same(arguments: list[str], tmp_path: Path) -> None:
    forked = outcome(arguments, tmp_path)
    with programs.new_interpreters():
        code, stdout, stderr = outcome(arguments, tmp_path)
    assert forked[:2] == (code, stdout)
    assert forked[2].splitlines()[-1:] == stderr.splitlines()[-1:]  # a traceback has other frames above


@pytest.mark.slow
def test_a_program_is_a_process_with_pipes_that_a_signal_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "coverslip.workspace.workers"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, start_new_session=True
    ) as process:
        assert process.poll() is None
        assert os.getpgid(process.pid) == process.pid
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        assert process.stdout is not None
        assert process.stdout.read() == b""
    assert process.poll() == -signal.SIGKILL


@pytest.mark.slow
def test_a_program_ends_when_its_input_ends() -> None:
    command = [sys.executable, "-P", "-m", "coverslip.workspace.workers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=60)
        assert (process.returncode, output) == (0, b"")

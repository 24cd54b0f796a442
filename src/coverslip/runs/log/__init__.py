"""The event log of a training, and its progress as computed from the events."""

from coverslip.runs.log.event_log import FoldedLog, LogLine, LogReader, RunLog, lasting_lines
from coverslip.runs.log.progress import LoggedProgress, fold_event, seconds_left
from coverslip.runs.log.records import Stage, StageTime, Step, TimedNote, Training, Work

__all__ = [
    "FoldedLog",
    "LogLine",
    "LogReader",
    "LoggedProgress",
    "RunLog",
    "Stage",
    "StageTime",
    "Step",
    "TimedNote",
    "Training",
    "Work",
    "fold_event",
    "lasting_lines",
    "seconds_left",
]

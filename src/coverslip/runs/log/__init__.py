"""What a training reports: written to its log, read back as it grows, folded into how far it is."""

from coverslip.runs.log.progress import Progress, fold_event, seconds_left
from coverslip.runs.log.reader import FoldedLog, LogLine, LogReader, lasting_lines
from coverslip.runs.log.records import Stage, StageTime, Step, TimedNote, Training, Work
from coverslip.runs.log.writing import RunLog

__all__ = [
    "FoldedLog",
    "LogLine",
    "LogReader",
    "Progress",
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

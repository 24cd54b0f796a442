"""Presets: studies of five publications that become plans for the user's images."""

from coverslip.studies.presets.making import preset_plan
from coverslip.studies.presets.record import Deviation, Preset
from coverslip.studies.presets.table import PRESETS

__all__ = ["PRESETS", "Deviation", "Preset", "preset_plan"]

"""Studies of five publications, on the user's own images: each a record that becomes a plan."""

from coverslip.studies.presets.making import preset_plan
from coverslip.studies.presets.record import Deviation, Preset
from coverslip.studies.presets.table import PRESETS

__all__ = ["PRESETS", "Deviation", "Preset", "preset_plan"]

"""The table of presets."""

from coverslip.studies.presets.aimic import AIMIC
from coverslip.studies.presets.efficientnetv2_cell import EFFICIENTNETV2_CELL
from coverslip.studies.presets.mobilevit_mn import MOBILEVIT_MN
from coverslip.studies.presets.mobincep import MOBINCEP
from coverslip.studies.presets.record import Preset
from coverslip.studies.presets.two_step import TWO_STEP
from coverslip.tables import Table

PRESETS: Table[Preset] = Table("preset", [AIMIC, MOBILEVIT_MN, MOBINCEP, EFFICIENTNETV2_CELL, TWO_STEP])

"""The arms of a publication's study: its recipe and protocol, separate from coverslip's.

A: the recipe and the protocol of the publication. B: its recipe, without the shortcuts of its protocol. C: coverslip's
recipe, with the protocol of B. A minus B is what the published protocol adds, and B minus C what the recipe adds. Each
further arm is B with one shortcut.
"""

import difflib
from collections.abc import Mapping, Sequence
from functools import reduce

from coverslip.errors import BadRecipe
from coverslip.studies.plan import Changes, merged_changes
from coverslip.studies.presets.record import Preset

DEFAULT_ARMS = ("A", "B", "C")
ALL_SHORTCUTS = "shortcuts"
_IMAGE_SPLIT = "image-split"
# Groups keep copies with their image, so that copies before the split leak only if images are split one by one.
_COPIES = "copies"
_SPLITS_BY_IMAGE: Changes = {"split": {"near_duplicates": "ignore"}}


def arm_names(preset: Preset) -> tuple[str, ...]:
    """Return the names of all arms of a preset; empty if it is not the study of a publication."""
    return () if preset.shortcuts is None else (*DEFAULT_ARMS, *preset.shortcuts)


def arms_of(preset: Preset, names: Sequence[str], changes: Changes) -> list[Changes]:
    """Return the arms of a plan.

    Args:
        preset: of a publication.
        names: of the arms, or `shortcuts` for all arms with one shortcut; none: A, B and C.
        changes: keys that all arms have.

    Raises:
        BadRecipe: the preset does not have an arm.
    """
    valid = [*arm_names(preset), ALL_SHORTCUTS]
    shortcuts = preset.shortcuts or {}
    if unknown := [name for name in names if name not in valid]:
        suggestion = next(iter(difflib.get_close_matches(unknown[0], valid, n=1)), "")
        raise BadRecipe("unknown-arm", name=unknown[0], arms=", ".join(valid), suggestion=suggestion)
    selected = [each for name in names or DEFAULT_ARMS for each in (shortcuts if name == ALL_SHORTCUTS else (name,))]
    if "A" in selected and len(shortcuts) == 1:  # A is the arm with this shortcut
        selected = [name for name in selected if name not in shortcuts]
    ordered = [name for name in valid if name in selected]
    return [_arm(preset, shortcuts, name, ordered, changes) for name in ordered]


def published_recipe(preset: Preset) -> Changes:
    """Return the recipe of the publication with the protocol of arm B."""
    return merged_changes(preset.recipe, preset.protocol)


def _arm(
    preset: Preset, shortcuts: Mapping[str, Changes], name: str, selected: Sequence[str], changes: Changes
) -> Changes:
    layers = [preset.protocol if name == "C" else published_recipe(preset)]
    is_by_image = name in (_IMAGE_SPLIT, _COPIES) or (name == "A" and _IMAGE_SPLIT in shortcuts)
    if is_by_image:
        layers.append(_SPLITS_BY_IMAGE)
    if name == "A":
        layers += shortcuts.values()
    elif name in shortcuts:
        layers.append(shortcuts[name])
    reference = {"A": "B", "B": "C", "C": None, _COPIES: _IMAGE_SPLIT}.get(name, "B")
    return {
        "name": name,
        "recipe": reduce(merged_changes, [*layers, changes]),
        "ignores_groups": is_by_image,
        "compared_with": reference if reference in selected else None,
        "not_stated": [] if name == "C" else preset.not_stated,
    }

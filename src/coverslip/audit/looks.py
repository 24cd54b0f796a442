"""What was learnt from showing images to a network is remembered, for trainings on the same images."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.datasets import (
    Dataset,
    Inspection,
    Scan,
    Signal,
    Unreadable,
    connected_components,
    inspect_dataset,
    name_as_text,
    reasons_to_leave_out,
)
from coverslip.runs import InspectionWithWhatIf, WhatIf

LOOKS = register(Kind("looks", "what a careless split of a dataset would have reported, and its shortcuts", RECORDS))

_VERSION = 4  # goes up when the same images would tell something else


@dataclass(frozen=True, slots=True)
class Look:
    """What images tell of their labels; both are None where there are too few labelled images to tell."""

    signal: Signal | None
    what_if: WhatIf | None  # None also where no groups or copies are known, so that both splits are the same


_ADAPTER = TypeAdapter(Look)


def known_look(data: Dataset, scan: Scan) -> Look | None:
    """What was learnt before of the same pixels with these labels, groups and copies; None where nobody has looked."""
    key = _key(data, scan)
    with RecordStore(LOOKS, "images") as store:
        kept = store.find([key]).get(key)
    try:
        return None if kept is None else _ADAPTER.validate_json(kept)
    except ValidationError:  # of another version of this program
        return None


def keep_look(data: Dataset, scan: Scan, look: Look) -> None:
    """Remember it."""
    with RecordStore(LOOKS, "images") as store:
        store.keep({_key(data, scan): _ADAPTER.dump_json(look)})


def inspect_with_look(data: Dataset, scan: Scan, look: Look | None) -> Inspection:
    """Everything that is found about a dataset; an `InspectionWithWhatIf` where it was looked at."""
    if look is None:
        return inspect_dataset(data, scan)
    inspection = inspect_dataset(data, replace(scan, signal=look.signal))
    return InspectionWithWhatIf(**dict(inspection), what_if=look.what_if, signal=look.signal)


def _key(data: Dataset, scan: Scan) -> str:
    """Changes with pixels, labels, files' names and what belongs together, and not with folders or names of groups."""
    usable = [i for i, reason in enumerate(reasons_to_leave_out(data, scan)) if not reason]
    members: dict[int, list[str]] = defaultdict(list)
    for i, unit in zip(usable, connected_components(data, scan, usable).tolist(), strict=True):
        fact = scan.facts[i]
        assert not isinstance(fact, Unreadable)  # such images are not usable
        record = data.records[i]
        name = "" if record.given else name_as_text(record.path.stem)
        members[unit].append(f"{fact.pixel_hash} {record.label} {name}")
    units = sorted("\n".join(sorted(images)) for images in members.values())
    return hashlib.blake2b("\n\n".join([str(_VERSION), *units]).encode(), digest_size=16).hexdigest()

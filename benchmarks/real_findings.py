"""What `inspect` finds by itself in real image sets: a Markdown table, a row each.

    python benchmarks/real_findings.py [--sets NAME…] [--most 3000] [--what-if 300]

Larger sets are cut at random (seed 0) to so many images for copies, names and single images; where groups are known,
to `--what-if` images for what a careless split would have reported and for shortcuts (0 leaves that out). Images:
COVERSLIP_DATA, default ../shared/data.
"""

import argparse
import os
from pathlib import Path

import numpy as np

import coverslip as cs
from coverslip.datasets import Dataset, Inspection, open_dataset
from coverslip.runs import InspectionWithWhatIf

SETS: dict[str, tuple[str, str | None, str | None]] = {  # where, the column of its groups, or their pattern
    "blood_pbc": ("blood_pbc", None, None),
    "blood_bccd": ("blood_bccd", None, None),
    "blood_bccd_augmented": ("blood_bccd_augmented", None, None),
    "blood_malaria": ("blood_malaria/images.csv", "patient", None),
    "chromosomes_qband": ("chromosomes_qband/images.csv", "cell", None),
    "chromosomes_gband": ("chromosomes_gband/images.csv", "case", None),
    "nuclei_mitocheck": ("nuclei_mitocheck/images.csv", "movie", None),
    "micronuclei": ("micronuclei/images.csv", "image", None),
    "pap_herlev": ("pap_herlev/images.csv", "image", None),
    "cellcycle_jurkat_16bit": ("cellcycle_jurkat_16bit", None, None),
    "weak_labels_cric": ("weak_labels_cric", None, r"(\d+)\d\.png$"),
}
COPIES, SINGLE = ("duplicates", "near-duplicates"), ("cut-off", "blurred", "saturated")
APART = {*COPIES, *SINGLE, "hidden-groups", "shortcut", "slight-shortcut", "no-groups"}
HEAD = "set|images|equal|changed|names give away|single images|other warnings|shortcuts|careless|honest|difference"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help=f"some of: {', '.join(SETS)}")
    parser.add_argument("--most", type=int, default=3000)
    parser.add_argument("--what-if", type=int, default=300)
    asked = parser.parse_args()
    print(f"| {' | '.join(HEAD.split('|'))} |\n|{'---|' * len(HEAD.split('|'))}")
    for name in asked.sets:
        where, column, pattern = SETS[name]
        source = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")) / where
        whole = open_dataset(source)
        data = cut(whole, asked.most)
        cells = [name, of(len(data), len(whole)), *alone(cs.inspect(data))]
        if asked.what_if:
            grouped = cut(open_dataset(source, group=column, group_pattern=pattern), asked.what_if)
            cells += looked_at(cs.inspect(grouped, what_if=True))
        else:
            cells += [""] * 4
        print(f"| {' | '.join(cells)} |", flush=True)


def cut(data: Dataset, most: int) -> Dataset:
    """So many of its images at random, in their order."""
    n = len(data)
    return data if n <= most else data.chosen(sorted(np.random.default_rng(0).choice(n, most, replace=False)))


def of(n: int, all_of_them: int) -> str:
    return f"{n:,}" if n == all_of_them else f"{n:,} of {all_of_them:,}"


def alone(inspection: Inspection) -> list[str]:
    """What is told without groups and without a network."""
    clusters = [[len(c) for finding in inspection.of(code) for c in finding.images] for code in COPIES]
    patterns = [finding.parameters["patterns"][0] for finding in inspection.of("hidden-groups")]
    named = [f"`{p['column'] or p['pattern']}`: {p['n_groups']:,} groups such as `{p['example']}`" for p in patterns]
    single = [f"{code} {sum(map(len, f.images))}" for code in SINGLE for f in inspection.of(code)]
    other = [f.code for f in inspection.findings if f.severity != "advice" and f.code not in APART]
    copies = [f"{len(sizes)} clusters, {sum(sizes)} images" if sizes else "none" for sizes in clusters]
    return [*copies, *(", ".join(cell) or "none" for cell in (named, single, other))]


def looked_at(inspection: Inspection) -> list[str]:
    """What a network sees: shortcuts, and macro-F1 of a careless and of an honest split."""
    assert isinstance(inspection, InspectionWithWhatIf)
    found = [(f, kind) for kind in ("shortcut", "slight-shortcut") for f in inspection.of(kind)]
    told = [f"{f.parameters['from']}{', slight' if kind != 'shortcut' else ''}" for f, kind in found]
    if any(inspection.of("no-signal")):
        told.append("no signal")
    if inspection.what_if is None:
        return ["; ".join(told) or "none", "", "", "no groups known"]
    careless, honest, gap = (getattr(inspection.what_if, key) for key in ("careless", "honest", "difference"))
    interval = "" if gap.low is None else f" ({gap.low:.3f} to {gap.high:.3f})"
    return ["; ".join(told) or "none", f"{careless.value:.3f}", f"{honest.value:.3f}", f"{gap.value:.3f}{interval}"]


if __name__ == "__main__":
    main()

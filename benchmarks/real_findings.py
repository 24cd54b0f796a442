"""Findings of `inspect` on real datasets, as a Markdown table.

    python benchmarks/real_findings.py [--sets NAME…] [--most 3000] [--estimate-leakage 300]

Larger datasets are sampled at random (seed 0) to `--most` images for duplicates and names. If groups are known,
 `--estimate-leakage` images are used for the leakage estimate and for shortcuts (0 skips both).
Images: COVERSLIP_DATA, default ../shared/data.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from _records import Record

import coverslip as cs
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.inspecting import Inspection
from coverslip.runs.results import InspectionWithLeakageEstimate

RECORD = Record("Findings on real datasets", ["src/coverslip/audit", "src/coverslip/datasets/quality"])

SETS: dict[str, tuple[str, str | None, str | None]] = {  # path, group column, or pattern of groups
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
COPIES = ("duplicates", "near-duplicates")
APART = {*COPIES, "hidden-groups", "shortcut", "slight-shortcut", "no-groups"}
HEAD = (
    "dataset|images|exact duplicates|near-duplicates|groups in names|other warnings|shortcuts"
    "|image-level|grouped|difference"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help=f"some of: {', '.join(SETS)}")
    parser.add_argument("--most", type=int, default=3000)
    parser.add_argument("--estimate-leakage", type=int, default=300)
    RECORD.add_option(parser)
    options = parser.parse_args()
    print(f"| {' | '.join(HEAD.split('|'))} |\n|{'---|' * len(HEAD.split('|'))}")
    for name in options.sets:
        where, column, pattern = SETS[name]
        source = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")) / where
        whole = open_dataset(source)
        data = cut(whole, options.most)
        cells = [name, of(len(data), len(whole)), *alone(cs.inspect(data))]
        if options.estimate_leakage:
            grouped = cut(open_dataset(source, group=column, group_pattern=pattern), options.estimate_leakage)
            inspection = cs.inspect(grouped, estimate_leakage=True)
            cells += finding_cells(inspection)
            if inspection.leakage_estimate is not None:
                gap = inspection.leakage_estimate.difference
                ends = None if gap.low is None else (round(gap.low, 3), round(gap.high, 3))
                claim = "Overestimate of macro-F1 by an image-level split"
                RECORD.add(claim, round(gap.value, 3), of=name, n=f"{len(grouped)} images", interval=ends)
        else:
            cells += [""] * 4
        print(f"| {' | '.join(cells)} |", flush=True)
    RECORD.write()


def cut(data: Dataset, most: int) -> Dataset:
    """Return a random sample of a dataset, in the original order."""
    n = len(data)
    return data if n <= most else data.subset(sorted(np.random.default_rng(0).choice(n, most, replace=False)))


def of(n: int, all_of_them: int) -> str:
    return f"{n:,}" if n == all_of_them else f"{n:,} of {all_of_them:,}"


def alone(inspection: Inspection) -> list[str]:
    """Return the findings that need neither groups nor a network."""
    clusters = [[len(c) for finding in inspection.of(code) for c in finding.images] for code in COPIES]
    patterns = [finding.parameters["patterns"][0] for finding in inspection.of("hidden-groups")]
    named = [f"`{p['column'] or p['pattern']}`: {p['n_groups']:,} groups such as `{p['example']}`" for p in patterns]
    other = [f.code for f in inspection.findings if f.severity != "advice" and f.code not in APART]
    copies = [f"{len(sizes)} clusters, {sum(sizes)} images" if sizes else "none" for sizes in clusters]
    return [*copies, *(", ".join(cell) or "none" for cell in (named, other))]


def finding_cells(inspection: Inspection) -> list[str]:
    """Return shortcuts, and the macro-F1 of an image-level and of a grouped split."""
    assert isinstance(inspection, InspectionWithLeakageEstimate)
    findings = [(f, kind) for kind in ("shortcut", "slight-shortcut") for f in inspection.of(kind)]
    listed = [f"{f.parameters['from']}{', slight' if kind != 'shortcut' else ''}" for f, kind in findings]
    if any(inspection.of("no-signal")):
        listed.append("no signal")
    if inspection.leakage_estimate is None:
        return ["; ".join(listed) or "none", "", "", "no groups known"]
    image_level, grouped, gap = (
        getattr(inspection.leakage_estimate, key) for key in ("image_level", "grouped", "difference")
    )
    interval = "" if gap.low is None else f" ({gap.low:.3f} to {gap.high:.3f})"
    return [
        "; ".join(listed) or "none",
        f"{image_level.value:.3f}",
        f"{grouped.value:.3f}",
        f"{gap.value:.3f}{interval}",
    ]


if __name__ == "__main__":
    main()

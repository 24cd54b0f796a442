"""Groups that the app suggests first from the names of files, against the groups that are known, as a Markdown table.

    python benchmarks/groups_in_names.py [--sets NAME…]

Images are read from their folders, without the tables that name the groups. A group is divided if its images are in
several suggested groups, or in none. Images: COVERSLIP_DATA, default ../shared/data.
"""

import argparse
import csv
import os
import re
from collections import defaultdict
from pathlib import Path

from _records import Record

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.related_images import groups_in_names
from coverslip.datasets.quality.scanning import scan_images

RECORD = Record("Groups in names", ["src/coverslip/datasets/quality/related_images.py"])

SETS = {  # columns of groups, the largest groups first
    "blood_malaria": ("patient", "slide"),
    "chromosomes_qband": ("cell",),
    "chromosomes_gband": ("case", "cell"),
    "pap_herlev": ("image",),
    "nuclei_mitocheck": ("plate", "movie"),
    "micronuclei": ("experiment", "image"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help=f"some of: {', '.join(SETS)}")
    RECORD.add_option(parser)
    options = parser.parse_args()
    print("| dataset | first suggestion | groups | known groups | divided |\n|---|---|---|---|---|")
    n_groups = n_divided = 0
    for name in options.sets:
        folder = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")) / name
        data = open_dataset(folder / "images")
        offered = [
            each for each in groups_in_names(data, scan_images(data)) if not (each.is_class or each.divided_unit)
        ]
        with (folder / "images.csv").open(encoding="utf-8", newline="") as file:
            row_of = {row["path"].removeprefix("images/"): row for row in csv.DictReader(file)}
        paths = [data.relative_path(record) for record in data.records]
        matches = [re.search(offered[0].pattern, path) for path in paths]
        suggested = [match[1] if match else path for match, path in zip(matches, paths, strict=True)]
        for column in SETS[name]:
            groups_of: dict[str, set[str]] = defaultdict(set)
            for path, group in zip(paths, suggested, strict=True):
                groups_of[row_of[path][column]].add(group)
            divided = sum(len(groups) > 1 for groups in groups_of.values())
            n_groups, n_divided = n_groups + len(groups_of), n_divided + divided
            cells = (name, f"`{offered[0].example}`", offered[0].n_groups, f"{len(groups_of)} of {column}", divided)
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    n = f"{n_groups:,} groups of {len(options.sets)} datasets"
    RECORD.add("Known groups that the first pattern divides", n_divided, n=n)
    RECORD.write()


if __name__ == "__main__":
    main()

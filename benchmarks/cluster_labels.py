"""Clicks and errors of labeling 1,000 images by cluster, against one by one, as a Markdown table.

1,000 random images of a dataset are clustered by pretrained features, as on the map of the app. A cluster is selected
(one click) and labeled with its most frequent class (one key). Images of other classes are exceptions: each is
deselected (one click) and labeled later (one key). One by one, each image takes one key. Errors: exceptions that are
overlooked. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/cluster_labels.py [--sets NAME…] [--seeds N] [--overlooked SHARE]
"""

import argparse

import numpy as np
from suggestions import SETS, read

from coverslip.audit.dataset_map import clusters_of

N_IMAGES = 1_000
N_CLUSTERS = (12, 25, 50, 100, 200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help=f"some of: {'; '.join(SETS)}")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--overlooked", type=float, default=0.1, help="share of exceptions that nobody notices")
    options = parser.parse_args()
    at = " | ".join(f"{n} clusters" for n in N_CLUSTERS)
    print(f"| dataset | classes | most frequent | {at} | errors at the fewest clicks | in pure clusters |")
    print(f"|---|---|---|{'---|' * (len(N_CLUSTERS) + 2)}")
    for name in options.sets:
        images = read(*SETS[name])
        components = images.components
        clicks = np.zeros((options.seeds, len(N_CLUSTERS)))
        exceptions = np.zeros_like(clicks)
        pure = np.zeros_like(clicks)
        share = []
        for seed in range(options.seeds):
            some = np.random.default_rng(seed).permutation(len(components))[:N_IMAGES]
            label = images.label[some]
            share.append(np.bincount(label).max() / len(some))
            for column, k in enumerate(N_CLUSTERS):
                cluster = clusters_of(components[some], k, seed=seed)
                counts = np.zeros((cluster.max() + 1, label.max() + 1))
                np.add.at(counts, (cluster, label), 1)
                largest, size = counts.max(axis=1), counts.sum(axis=1)
                scale = N_IMAGES / len(some)
                exceptions[seed, column] = (size - largest).sum() * scale
                clicks[seed, column] = 2 * ((size > 0).sum() + (size - largest).sum()) * scale
                pure[seed, column] = (size * (largest >= 0.95 * size))[size >= 5].sum() / len(some)
        means = clicks.mean(axis=0)
        best = int(means.argmin())
        cells = " | ".join(f"{mean:.0f}" for mean in means)
        errors = options.overlooked * exceptions.mean(axis=0)[best]
        print(
            f"| {name} | {len(np.unique(images.label))} | {np.mean(share):.2f} | {cells} "
            f"| {errors:.0f} of {N_IMAGES} | {pure.mean(axis=0)[best]:.0%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

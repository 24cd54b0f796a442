// Facts about an image and its file, as names and values.
import type { Dataset } from '../../../api/datasets';
import type { ImageFacts } from '../../../api/lists';
import type { Fact } from '../../../images/viewer/FactList.svelte';
import { texts } from '../../../texts';
import { bytes, count, intensity } from '../../../texts/numbers';

const words = texts.datasets.facts;

/** All facts of an image, the path first, without empty values. `label` is its current class. */
export function factsOf(facts: ImageFacts, dataset: Dataset, label: string | null): Fact[] {
  const list: [string, string | null][] = [
    ...ofFile(facts),
    [words.group, facts.group],
    [words.domain, dataset.domains.length ? facts.domain : null],
    [words.side, facts.predefined_split],
    [
      words.before,
      facts.label_before !== label ? (facts.label_before ?? texts.datasets.gallery.noClass) : null,
    ],
    [words.equal, facts.duplicates ? texts.counts.images(facts.duplicates) : null],
    [words.note, facts.note],
  ];
  return [
    { name: words.path, value: facts.file, isPath: true },
    ...list.flatMap(([name, value]) => (value ? [{ name, value }] : [])),
  ];
}

function ofFile(facts: ImageFacts): [string, string | null][] {
  const { width, height, bit_depth, n_channels, n_planes, size_bytes, pixel_size_um, low, high } = facts;
  return [
    [words.size, width && height ? texts.datasets.overview.size(count(width), count(height)) : null],
    [words.pixelSize, pixel_size_um?.length ? words.pixelSizeOf(pixel_size_um) : null],
    [words.format, facts.format],
    [words.depth, bit_depth ? words.depthOf(String(bit_depth), facts.dtype ?? '') : null],
    [words.channels, n_channels ? count(n_channels) : null],
    [words.planes, n_planes && n_planes > 1 ? count(n_planes) : null],
    [
      words.values,
      low?.length && high?.length
        ? words.valuesOf(intensity(Math.min(...low)), intensity(Math.max(...high)))
        : null,
    ],
    [words.bytes, size_bytes !== null ? bytes(size_bytes) : null],
  ];
}

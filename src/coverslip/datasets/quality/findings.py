"""All findings about a dataset, by all registered finders."""

from collections.abc import Iterator

from coverslip.datasets.index import Dataset
from coverslip.datasets.quality.finders import BUILT_IN
from coverslip.datasets.quality.finding import SEVERITIES, Finder, Finding, list_finders, register_finder, title_of
from coverslip.datasets.quality.scanning import Scan

for _finder in BUILT_IN:
    register_finder(_finder)


def find_all(dataset: Dataset, scan: Scan) -> tuple[Finding, ...]:
    """Return the findings about the images, the most severe first."""
    findings_of = {finder: tuple(_found_by(finder, dataset, scan)) for finder in list_finders()}
    codes = {finder.code for finder, findings in findings_of.items() if findings}
    relevant = [
        finding for finder, findings in findings_of.items() if finder.unless not in codes for finding in findings
    ]
    return tuple(sorted(relevant, key=lambda finding: SEVERITIES.index(finding.severity)))


def _found_by(finder: Finder, dataset: Dataset, scan: Scan) -> Iterator[Finding]:
    for case in finder.find(dataset, scan):
        yield Finding(
            code=finder.code,
            severity=finder.severity,
            title=title_of(finder),
            text=case.text,
            do=case.do,
            remedies=case.remedies,
            images=case.images,
            notes=case.notes,
            limit=case.limit,
            **case.parameters,
        )

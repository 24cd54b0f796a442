"""Output on stdout: tables and sentences for people, one JSON object for programs."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from coverslip.cli._options import as_setting, with_remedies
from coverslip.datasets.names import one_line
from coverslip.datasets.quality.findings import Finding
from coverslip.datasets.quality.inspecting import Inspection
from coverslip.datasets.quality.scanning import GroupFacts
from coverslip.images.reader import Series
from coverslip.messages import escape_controls_in_lines, text
from coverslip.reports.blocks import Block, MetricRows, Quotation, SectionContent, SectionText, Statements
from coverslip.reports.metric_rows import Cell, column_titles, reasons, shown
from coverslip.runs.results import InspectionWithLeakageEstimate, LeakageEstimate

if TYPE_CHECKING:
    from coverslip.inference.latency import Latency, Timing
    from coverslip.reports.reported import ReportedRun


def table_of(first: str, *titles: str, text_columns: Collection[str] = ()) -> Table:
    """Return a plain table with right-aligned numbers. In a table that is too wide, the widest cells are wrapped."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column(first, overflow="fold")
    for title in titles:
        is_text = title in text_columns
        table.add_column(title, justify="left" if is_text else "right", overflow="fold")
    return table


def filled_table(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, text_columns: Collection[str] = ()
) -> Table:
    """Return a table of a report, with confidence intervals after their values."""
    table = table_of(*columns, text_columns=text_columns)
    for row in rows:
        table.add_row(*map(shown, row))
    return table


def _fitting_tables(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[Cell]], text_columns: Collection[str]
) -> Iterator[Table]:
    """Yield a table of numbers; if it is wider than the terminal, several with some of the columns each."""
    table = filled_table(columns, rows, text_columns=text_columns)
    middle, wide = (len(columns) + 1) // 2, console.options.update(max_width=_WHOLE)
    if text_columns or middle < 2 or console.measure(table, options=wide).maximum <= console.width:
        yield table
        return
    for part in (slice(1, middle), slice(middle, None)):
        parts = [[row[0], *row[part]] for row in rows]
        yield from _fitting_tables(console, [columns[0], *columns[part]], parts, ())


def show_sections(console: Console, sections: Iterable[SectionContent], *, has_folded: bool) -> None:
    """Print sections without figures and images.

    Args:
        console: for results.
        sections: of a result.
        has_folded: whether to print also tables that a page shows on request only.
    """
    hidden: list[str] = []
    for section in sections:
        hidden += [_folded(block) for block in section.blocks if not has_folded and _folded(block)]
        blocks = [block for block in section.blocks if has_folded or not _folded(block)]
        lines = [line for block in blocks for line in _block_lines(console, block)]
        if lines or section.verdict:
            subtitle = f" ({section.subtitle})" if section.subtitle else ""
            console.print(f"\n{section.title}{subtitle}", style="bold", soft_wrap=True)
        for line in filter(None, [section.verdict, *lines]):
            console.print(line, soft_wrap=isinstance(line, str))
    if hidden:
        console.print(text("command-in-report", titles=", ".join(hidden)), soft_wrap=True)


def _folded(block: Block) -> str:
    """Return the title of what a page shows on request only; empty if it shows the block."""
    return block.folded if isinstance(block, SectionText) else block.summary if isinstance(block, Quotation) else ""


def _block_lines(console: Console, block: Block) -> Iterator[str | Table]:
    """Yield the lines and tables of a block; of a gallery, nothing."""
    match block:
        case SectionText():
            heading = block.heading or block.summary
            if heading and (block.rows or block.words):
                yield f"\n{heading}"
            if block.rows:
                rows = [*block.rows, *block.totals]
                yield from _fitting_tables(console, block.columns, rows, block.text_columns)
                yield from reasons(rows).values()
            yield from block.words
        case MetricRows():
            yield filled_table(block.columns, block.rows)
        case Statements():
            yield from (f"{each.claim} {each.meaning}" for each in block.rows)
        case Quotation():
            yield from block.paragraphs


def series_as_json(series: Sequence[Series]) -> "list[Json]":
    """Return the series of a file for `inspect --json`."""
    return [
        {
            "index": index,
            "name": each.name,
            "axes": each.axes,
            "shape": list(each.shape),
            "dtype": each.dtype,
            "channels": list(each.channels),
            "pixel_size_um": None if each.pixel_size_um is None else list(each.pixel_size_um),
            "levels": [list(size) for size in each.sizes],
            "position_um": None if each.position_um is None else list(each.position_um),
            "acquired": each.acquired,
        }
        for index, each in enumerate(series)
    ]


def series_lines(series: Sequence[Series]) -> Iterator[str]:
    """Yield a line per series, with its counts of planes, channels and levels where there are several."""
    for index, each in enumerate(series):
        width, height = each.sizes[0]
        um = each.pixel_size_um[0] if each.pixel_size_um else 0
        has_name, name = bool(each.name), each.name
        details = [
            text(
                "command-series",
                index=index,
                has_name=has_name,
                name=name,
                width=width,
                height=height,
                dtype=each.dtype,
                um=um,
            )
        ]
        details += [text("command-series-times", n=each.size("T"))] if each.size("T") > 1 else []
        details += [text("command-series-planes", n=each.n_z)] if each.n_z > 1 else []
        if each.n_channels > 1 or each.channels:
            names = ", ".join(each.channels)
            details.append(
                text("command-series-channels", n=each.n_channels, has_names=bool(each.channels), names=names)
            )
        if len(each.sizes) > 1:
            sizes = ", ".join(f"{width} x {height}" for width, height in each.sizes)
            details.append(text("command-series-levels", n=len(each.sizes), sizes=sizes))
        yield "; ".join(details)


def latency_table(name: str, latency: "Latency") -> Table:
    """Return a table of the seconds that a network needs for one image and for many."""
    n = latency.n_many
    table = table_of(
        *column_titles("column-network", "column-image-size"),
        *(
            text("command-latency-column", part=part, n_images=n_images)
            for part in ("network", "total")
            for n_images in (1, n)
        ),
        text("command-latency-ratio", n_images=n),
    )
    table.title = text("command-latency", processor=latency.processor, n_threads=latency.n_threads)
    table.title_justify = "left"
    times = (latency.network_one, latency.network_many, latency.whole_one, latency.whole_many)
    table.add_row(name, f"{latency.image_px} px", *map(_seconds, times), f"{latency.ratio:.1f}")
    return table


def _seconds(timing: "Timing") -> str:
    return f"{timing.median:.3g} ({timing.low:.2g}–{timing.high:.2g})"


Json = Mapping[str, Any]  # Any: JSON values

MANY_CLASSES = 20  # above it, not all are shown
MOST_LINES = 12  # per kind; the rest is counted
_LATE_CONTROLS = re.compile(r"[\x7f-\x9f]")
_WHOLE = 10_000  # characters: in practice, nothing is shortened


class _Visible(Console):
    """A console that escapes control characters in names instead of sending them to the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:  # Any: as Rich has them
        """Escape control characters before the layout of the text."""
        return super().render_str(escape_controls_in_lines(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Escape the control characters of all printed text, but not those of Rich."""
        for part, style, control in super().render(renderable, options):
            yield Segment(part if control else escape_controls_in_lines(part), style, control)


class _Results(_Visible):
    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError for `coverslip … | head -1`, which `main` handles. Rich would exit with an error."""
        raise BrokenPipeError


class _Notes(_Visible):
    def on_broken_pipe(self) -> None:
        """Stop printing, so that a training continues after its pipe is closed. Rich would exit the program."""
        self.quiet = True

    def print(self, *objects: Any, **options: Any) -> None:  # Any: as Rich has them
        """Print, or stop printing: a log on a full disk must not end a training."""
        try:
            super().print(*objects, **options)
        except OSError:
            self.quiet = True


def results_console() -> Console:
    """Return the console for results. In a file or a pipe, lines are not broken at 80 columns."""
    console = _Results(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 160
    return console


def notes_console() -> Console:
    """Return the console for progress and notes. Rich respects `NO_COLOR`. Printing stops if the pipe is closed."""
    return _Notes(stderr=True, highlight=False, emoji=False)


def print_json(value: Json) -> None:
    """Print one JSON object without NaN, as in the files. JSON itself escapes the first 32 characters."""
    printed = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_json_value)
    print(_LATE_CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", printed))  # noqa: T201  command-line output


def _json_value(value: Any) -> Any:  # Any: JSON values
    """Return a path, a record of a file or a dataclass as JSON values."""
    if isinstance(value, Path):
        return str(value)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else asdict(value)


def show_result(console: Console, run: "ReportedRun", *, all_classes: bool = False) -> None:
    """Print the verdict on a run or an evaluation, a table of its classes, what limits it, and the next step.

    Args:
        console: for results.
        run: the run or evaluation.
        all_classes: whether to print the main sections of the report, with all classes, instead of the table.
    """
    from coverslip.reports.sections import sections_of
    from coverslip.reports.sections.classes import summary_table
    from coverslip.reports.verdict import lead, verdict_of_run

    verdict = verdict_of_run(run)
    console.print(f"\n{one_line(verdict.headline, _WHOLE)}", style="bold", soft_wrap=True)
    console.print(" ".join(lead(run, verdict)), soft_wrap=True)
    if all_classes:
        show_sections(
            console, (record.content(run) for record in sections_of(run) if record.is_printed), has_folded=True
        )
    else:
        console.print()
        for line in _block_lines(console, summary_table(run.metrics)):
            console.print(line, soft_wrap=isinstance(line, str))
    _show_list(console, text("command-limits"), [reason.claim for reason in verdict.further])
    if verdict.next_sentence:
        console.print(f"\n{verdict.next_sentence}", soft_wrap=True)


def show_inspection(console: Console, inspection: Inspection, *, all_classes: bool = False) -> None:
    """Print counts, properties of the files, findings with the affected images, and what to do."""
    groups = inspection.groups
    console.print(f"\n{one_line(inspection.root, _WHOLE)}", style="bold", soft_wrap=True)
    n_unreadable = inspection.n_images - inspection.n_readable
    counts = text(
        "command-dataset",
        n_images=inspection.n_images,
        n_unreadable=n_unreadable,
        n_classes=len(inspection.classes),
        groups=_groups_in_words(groups),
    )
    console.print(f"{counts}\n")

    images = "column-readable-images" if n_unreadable else "column-images"
    table = table_of(*column_titles("column-class", images, *(["column-groups"] if groups else [])))
    is_cut = not all_classes and len(inspection.classes) > MANY_CLASSES
    rarest = sorted(inspection.classes, key=lambda name: inspection.classes[name])[:MOST_LINES]
    for name in rarest if is_cut else inspection.classes:
        n_groups = [f"{groups.groups_per_class[name]:,}"] if groups else []
        table.add_row(one_line(name), f"{inspection.classes[name]:,}", *n_groups)
    console.print(table)
    if is_cut:
        caption = text("command-fewest-images", n_shown=MOST_LINES, n_classes=len(inspection.classes))
        console.print(caption, soft_wrap=True)

    console.print()
    for fact in inspection.file_facts():
        console.print(f"{fact.title:<12} {fact.text}", soft_wrap=True)

    for finding in inspection.findings:
        _show_list(console, finding.title, list(_clusters(finding)))
    reading_notes = [
        text("command-reading-note", n_images=n, note=note) for note, n in inspection.reading_notes.items()
    ]
    notes = [with_remedies(note.text, note.remedies) for note in inspection.notes]
    _show_list(console, text("command-notes"), [*notes, *reading_notes])
    if isinstance(inspection, InspectionWithLeakageEstimate):
        _show_leakage_estimate(console, inspection.leakage_estimate)
    _show_list(console, text("command-what-to-do"), [_remedy_line(finding) for finding in inspection.findings])
    if not inspection.findings:
        console.print(f"\n{text('command-nothing-to-fix')}", style="bold")


def _show_leakage_estimate(console: Console, leakage_estimate: LeakageEstimate | None) -> None:
    """Print the leakage estimate: metrics of an image-level split and of a grouped split."""
    console.print(f"\n{text('command-leakage-estimate')}", style="bold")
    if leakage_estimate is None:
        console.print(text("command-no-leakage-estimate"))
        return
    from coverslip.reports.sections.data import leakage_estimate_text  # slow: all sections of reports

    for line in _block_lines(console, leakage_estimate_text(leakage_estimate)):
        console.print(line, soft_wrap=isinstance(line, str))


def _remedy_line(finding: Finding) -> str:
    return with_remedies(f"{finding.severity}: {finding.text} {finding.do}", finding.remedies)


def _clusters(finding: Finding) -> Iterator[str]:
    """Yield a line per cluster of images, each image with its note, or per location of a name to correct."""
    if locations := finding.parameters.get("locations"):
        yield from _locations(locations)
        return
    if not finding.notes:
        yield from (" = ".join(cluster) for cluster in finding.images)
        return
    for cluster, notes in zip(finding.images, finding.notes, strict=True):
        if len(cluster) == 1:
            yield f"{cluster[0]}: {notes[0]}"
        else:
            beside = zip(cluster, notes, strict=True)
            yield " = ".join(f"{image} ({note})" if note else image for image, note in beside)


_MOST_LOCATIONS = 8  # ranges of lines, or folders


def _locations(clusters: Any) -> Iterator[str]:  # Any: JSON of `NameLocation`
    for cluster in clusters:
        for location in cluster:
            name, n_images = one_line(location["name"], 60), location["n_images"]
            if location["table"] is not None:
                ranges = _ranges(location["lines"])
                yield text(
                    "command-name-in-table",
                    name=name,
                    n_images=n_images,
                    table=location["table"],
                    column=location["column"],
                    lines=_some(ranges),
                )
            else:
                yield text("command-name-in-folders", name=name, n_images=n_images, folders=_some(location["folders"]))


def _some(items: Sequence[str]) -> str:
    listed = ", ".join(items[:_MOST_LOCATIONS])
    n_more = len(items) - _MOST_LOCATIONS
    return listed if n_more <= 0 else text("names-and-more", names=listed, n=n_more)


def _ranges(lines: Sequence[int]) -> list[str]:
    """Return ascending numbers as ranges: 2, 5–9."""
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return [str(first) if first == last else f"{first}–{last}" for first, last in ranges]


def show_decisions(stdout: Console, stderr: Console, decisions: Mapping[str, int]) -> None:
    """Print the number of images per decision, and a warning about unreadable images."""
    table = table_of(*column_titles("column-decision", "column-images"))
    is_cut = len(decisions) > MANY_CLASSES
    most = sorted(decisions, key=lambda name: -decisions[name])[:MOST_LINES]
    for name in most if is_cut else decisions:
        table.add_row(one_line(name), f"{decisions[name]:,}")
    if is_cut:
        n_others = sum(decisions.values()) - sum(decisions[name] for name in most)
        table.add_row(text("command-other-decisions", n=len(decisions) - len(most)), f"{n_others:,}")
    stdout.print(table)
    unreadable = decisions.get("unreadable", 0)
    if unreadable:
        warning = text("command-unreadable-images", n_unreadable=unreadable, n_images=sum(decisions.values()))
        stderr.print(warning, soft_wrap=True)


def show_models(console: Console, records: Sequence[Json]) -> None:
    """Print a row per network."""
    if not records:
        console.print(text("command-no-network"))
        return
    table = table_of(
        *column_titles("column-name", "column-family", "column-parameters", "column-multiplications"),
        *column_titles("column-input", "column-weights"),
    )
    for record in records:
        table.add_row(
            record["name"],
            record["family"],
            f"{record['parameters'] / 1e6:.1f} M",
            f"{record['macs'] / 1e9:.2f} G" if record["macs"] is not None else "–",
            f"{record['input_px']} px",
            _weights_state(record),
        )
    console.print(table)
    console.print(text("command-use-network"), soft_wrap=True)


def _weights_state(record: Json) -> str:
    if record["weights_available"]:
        return text("command-weights-available")
    return text("command-weights-to-download") if record["weights"] else "–"


def show_weights(console: Console, listing: Json) -> None:
    """Print a row per network with pretrained weights on this machine, and the folder of imported weights."""
    columns = column_titles("column-model", "column-source", "column-license", "column-normalization", "column-size")
    table = table_of(*columns, text_columns=columns[1:4])
    for row in listing["weights"]:
        source = one_line(f"{row['kind']}: {row['source']}")
        normalization = _normalization(row["mean"], row["std"])
        license = one_line(row["license"]) if row["license"] else text("command-license-not-stated")
        table.add_row(row["model"], source, license, normalization, size_in_words(row["size_bytes"]))
    console.print(table)
    console.print(text("command-weights-folder", folder=listing["folder"]), soft_wrap=True)


def _normalization(mean: Sequence[float], std: Sequence[float]) -> str:
    numbers = [
        f"{set(values).pop():g}" if len(set(values)) == 1 else " ".join(f"{x:g}" for x in values)
        for values in (mean, std)
    ]
    return text("command-normalization", mean=numbers[0], sd=numbers[1])


def show_cache(console: Console, listing: Json) -> None:
    """Print the folder, size and limit of the cache, and a row per store."""
    console.print(text("command-cache-folder", folder=listing["folder"]), soft_wrap=True)
    console.print(text("command-cache-size", size=size_in_words(listing["size_bytes"])))
    console.print(text("command-cache-limit", size=size_in_words(listing["limit_bytes"])))
    if not listing["stores"]:
        console.print(text("command-cache-empty"))
        return
    columns = column_titles("column-kind", "column-use", "column-records", "column-size", "column-last-used")
    table = table_of(*columns, "", text_columns=(columns[1], ""))
    for store in listing["stores"]:
        state = _store_state(store)
        what = f"{store['title']} ({store['each']})" if store["each"] else store["title"]
        n_records = "–" if store["n_records"] is None else f"{store['n_records']:,}"
        last_used = datetime.fromisoformat(store["last_used"]).astimezone().strftime("%Y-%m-%d %H:%M")
        table.add_row(store["kind"], what, n_records, size_in_words(store["size_bytes"]), last_used, state)
    console.print()
    console.print(table)


def _store_state(store: Json) -> str:
    if store["is_damaged"]:
        return text("command-store-damaged")
    return text("command-store-in-use") if store["is_in_use"] else ""


def size_in_words(n_bytes: int) -> str:
    """Format a number of bytes: `512 B`, `3.4 MB`, `20 GB`."""
    size, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if float(f"{size:.3g}") < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"


def show_record(console: Console, record: Json) -> None:
    """Print each field of a record on a line."""
    width = max(len(key) for key in record)
    for key, value in record.items():
        console.print(f"{key.replace('_', ' '):<{width}}  {_cell_text(value)}", soft_wrap=True)


def _groups_in_words(groups: GroupFacts | None) -> str:
    if not groups:
        return text("command-no-groups")
    images = groups.images_per_group
    return text(
        "command-groups",
        n_groups=groups.n_groups,
        n_ungrouped=groups.n_ungrouped,
        is_same=images.min == images.max,
        n_fewest=int(images.min),
        n_most=int(images.max),
    )


def _show_list(console: Console, title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    console.print(f"\n{title} ({len(lines):,})", style="bold")
    for line in lines[:MOST_LINES]:
        console.print(
            f"  {one_line(line, _WHOLE)}", soft_wrap=True
        )  # names may contain any character, including line ends
    if len(lines) > MOST_LINES:
        console.print(f"  {text('command-more-lines', n=len(lines) - MOST_LINES)}")


def _cell_text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return text("report-yes") if value else text("report-no")
    if isinstance(value, (list, tuple)):
        return ", ".join(str(v) for v in value) or "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={as_setting(v)}" for key, v in value.items()) or "–"
    return f"{value:,}" if isinstance(value, int) else str(value) or "–"

"""A folder of pages: one a submission, one a class, and an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from autograder.grading.class_folder import Rejected
from autograder.reports.pages import Visible, class_page, index_page, is_public, page_name, student_page
from autograder.reports.summary import SimilarPair
from autograder.store.files import file_name, write_whole
from autograder.store.results import Graded

INDEX = "index.html"


def write_reports(
    folder: Path,
    results: Iterable[Graded],
    *,
    visible: Visible = is_public,
    titles: Mapping[str, str] = MappingProxyType({}),
    similar: Mapping[str, Sequence[SimilarPair]] = MappingProxyType({}),
    not_graded: Sequence[Rejected] = (),
) -> list[Path]:
    """Write every page to `folder`, the index last, and return their paths; every file is whole or absent.

    `titles` and `similar` are by unit. Where there is one unit, its class page is the index. What
    could not be graded is told on every class page. Raises OSError where it cannot be written.
    """
    by_unit: dict[str, list[Graded]] = {}
    for graded in sorted(results, key=lambda graded: graded.result.unit):
        by_unit.setdefault(graded.result.unit, []).append(graded)
    folder.mkdir(parents=True, exist_ok=True)
    written = []

    def write(name: str, text: str) -> None:
        write_whole(folder / name, text)
        written.append(folder / name)

    for unit, every in by_unit.items():
        for graded in every:
            text = student_page(graded, visible=visible, title=titles.get(unit, ""))
            write(page_name(graded.result.student, unit), text)
    # one dot and a tilde at a place of its own: no name of a student's page, nor the index
    pages = {unit: f"class~{file_name(unit)}.html" for unit in by_unit}
    if len(by_unit) < 2:
        pages = dict.fromkeys(by_unit, INDEX) or {"": INDEX}
    for unit, name in pages.items():
        text = class_page(
            by_unit.get(unit, []),
            title=titles.get(unit, ""),
            similar=similar.get(unit),
            not_graded=not_graded,
        )
        write(name, text)
    if len(by_unit) > 1:
        write(INDEX, index_page(by_unit, pages, titles))
    return written

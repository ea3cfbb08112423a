"""The pages. Templates escape whatever they are given, and spell out what cannot be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from autograder.grading.class_folder import Rejected
from autograder.reports.pictures import exercise_picture, score_picture
from autograder.reports.summary import SimilarPair, is_full, share_of, summarize
from autograder.reports.text import FailureText, failure_texts, shown
from autograder.results import CheckResult, DeviceVerdict, DtypesVerdict, ExerciseResult, Status
from autograder.store.files import file_name
from autograder.store.results import Graded
from autograder.table import ON_A_GPU, advice, points, what_happened

Visible = Callable[[str], bool]


def is_public(check: str) -> bool:
    """Whether a check of this id is in students' hands."""
    return not check.startswith("solutions/")


def page_name(student: str, unit: str) -> str:
    """The file name of a student's page; it has two dots, and no other page has."""
    return f"{file_name(student)}.{file_name(unit)}.html"


def student_page(graded: Graded, *, visible: Visible = is_public, title: str = "") -> str:
    """One submission's page: points by exercise, then what there is to look at.

    Of checks that are not `visible` the page tells how many passed and nothing else. `title` is the unit's.
    """
    result = graded.result
    views = [_view(number, exercise, visible) for number, exercise in enumerate(result.exercises, 1)]
    return _render(
        "student.html",
        graded=graded,
        result=result,
        title=title,
        views=views,
        skipped=_skipped(views),
        advice=advice(view.shown_part for view in views),
    )


def class_page(
    results: Sequence[Graded],
    *,
    title: str = "",
    similar: Sequence[SimilarPair] | None = None,
    not_graded: Sequence[Rejected] = (),
) -> str:
    """The page of all submissions of one unit, for who teaches it: it tells of every check.

    Without `similar` it says nothing of similarity. Raises ValueError for results of several units.
    """
    units = {graded.result.unit for graded in results}
    if len(units) > 1:
        raise ValueError(f"a class page is about one unit, not about {', '.join(sorted(units))}")
    results = sorted(results, key=lambda graded: graded.result.student.casefold())
    summary = summarize(results)
    return _render(
        "class.html",
        unit=next(iter(units), ""),
        title=title,
        results=results,
        summary=summary,
        scores=score_picture(summary.shares, share_of(summary.median, summary.max_score)),
        exercises=exercise_picture(summary.exercises),
        similar=None if similar is None else sorted(similar, key=lambda pair: -pair.score),
        students={graded.result.student for graded in results},
        not_graded=not_graded,
    )


def index_page(
    units: Mapping[str, Sequence[Graded]], pages: Mapping[str, str], titles: Mapping[str, str]
) -> str:
    """The page that leads to the class pages of several units; `pages` are their file names."""
    return _render(
        "index.html",
        units=[
            (unit, titles.get(unit, ""), pages[unit], summarize(results)) for unit, results in units.items()
        ],
    )


@dataclass(frozen=True)
class _View:
    """An exercise as a student may see it; `shown_part` has the visible checks only, and so wrong points."""

    anchor: str
    exercise: ExerciseResult
    shown_part: ExerciseResult
    failures: tuple[FailureText, ...]
    hidden: tuple[CheckResult, ...]

    @property
    def device(self) -> DeviceVerdict | None:
        return self.shown_part.device

    @property
    def dtypes(self) -> DtypesVerdict | None:
        return self.shown_part.dtypes

    @property
    def hidden_passed(self) -> int:
        return sum(check.status is Status.PASSED for check in self.hidden)

    @property
    def needs_a_look(self) -> bool:
        return bool(self.failures) or self.exercise.passed < len(self.exercise.counted)


def _view(number: int, exercise: ExerciseResult, visible: Visible) -> _View:
    seen = tuple(check for check in exercise.checks if visible(check.id))
    unseen = tuple(check for check in exercise.counted if not visible(check.id))
    failed = [check for check in seen if check.status not in (Status.SKIPPED, Status.PASSED)]
    return _View(
        f"exercise-{number}",
        exercise,
        replace(exercise, checks=seen),
        failure_texts(failed, exercise.diagnosis),
        unseen,
    )


def _skipped(views: Sequence[_View]) -> dict[str, list[str]]:
    """Why checks were not judged, and of which exercises: most say the same."""
    reasons: dict[str, list[str]] = {}
    for view in views:
        skipped = [check for check in view.shown_part.checks if check.status is Status.SKIPPED]
        for text in failure_texts(skipped):
            reason = "\n".join(row.text for row in text.rows) or "; ".join(text.titles)
            reasons.setdefault(reason, []).append(view.exercise.name)
    return reasons


def _state(exercise: ExerciseResult) -> tuple[str, str, str]:
    """A class of the stylesheet, a sign and a word: colour is never alone."""
    if not exercise.counted:
        return "unjudged", "–", "not judged"
    if is_full(exercise):
        return "full", "✓", "passed"
    return ("part", "◐", "partial") if exercise.passed else ("none", "✗", "failed")


def _finalize(value: Any) -> Any:
    """What is put into a page: markup is the project's own, any other text may be anybody's."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breakable(name: str) -> Markup:
    """A name of code that a narrow column may break after an underscore."""
    return escape(shown(name)).replace("_", Markup("_<wbr>"))


_PAGES = Environment(
    loader=PackageLoader("autograder.reports"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_finalize,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.globals.update(
    page_name=page_name,
    share_of=share_of,
    state=_state,
    gpu_word=lambda verdict: ON_A_GPU[verdict.state][0],
    what_happened=what_happened,
    ENDINGS={
        Status.FAILED: "failed",
        Status.ERROR: "not importable",
        Status.TIMEOUT: "timed out",
        Status.CRASHED: "crashed",
    },
)
_PAGES.tests["full"] = is_full
_PAGES.filters.update(breakable=_breakable, percent=lambda share: f"{100 * share:.0f} %", points=points)


def _render(template: str, **values: Any) -> str:
    return _PAGES.get_template(template).render(**values)

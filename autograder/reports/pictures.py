"""Pictures of a class as inline SVG: text that scales, colours that the page's stylesheet decides."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from autograder.reports.summary import ExerciseSummary
from autograder.reports.text import shown

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
# Matplotlib knows no variables of a stylesheet: it draws with colours that stand for them.
_INK, _MUTED, _LINE, _BAR, _SOFT, _PAPER = (f"#0{i}0{i}0{i}" for i in range(1, 7))
_VARIABLES = {
    _INK: "--ink",
    _MUTED: "--muted",
    _LINE: "--line",
    _BAR: "--bar",
    _SOFT: "--soft",
    _PAPER: "--paper",
}
_WIDTH = 5.0  # inches: 360 units, about the width of a phone, where text of 10 units is read without zooming
_RC: Any = {  # the key of a parameter is a literal type in newer versions, and text in older ones
    "svg.fonttype": "none",
    "svg.hashsalt": "autograder",
    "text.parse_math": False,
    "font.size": 10.0,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "text.color": _INK,
    "xtick.color": _LINE,
    "xtick.labelcolor": _MUTED,
    "ytick.color": _LINE,
    "ytick.labelcolor": _MUTED,
}


def score_picture(shares: Sequence[float], median: float, name: str = "scores") -> Markup:
    """How many submissions got how much, in tenths of all points; `median` is marked."""
    counts = [0] * 10
    for share in shares:
        counts[min(int(share * 10 + 1e-9), 9)] += 1
    with matplotlib.rc_context(_RC):
        figure, axes = _figure(2.2, above=0.28)
        drawn = axes.bar([10 * i + 5 for i in range(10)], counts, width=9, color=_BAR)
        told = axes.bar_label(drawn, [str(count or "") for count in counts], padding=3, color=_INK)
        for label, count in zip(told, counts, strict=True):
            if count:  # on paper of its own: the median's line may pass behind it
                label.set(bbox={"facecolor": _PAPER, "edgecolor": "none", "pad": 1.5}, zorder=5)
        axes.axvline(100 * median, color=_INK, linewidth=1.2, linestyle=(0, (4, 3)))
        left = median > 0.5
        axes.annotate(
            f"median {100 * median:.0f} %",
            (100 * median, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-5 if left else 5, 7),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
        )
        axes.set_xlim(0, 100)
        axes.set_ylim(0, max(counts, default=0) * 1.15 or 1)
        words = ", ".join(f"{10 * i} to {10 * i + 10} %: {count}" for i, count in enumerate(counts) if count)
        text = f"Number of submissions by share of the points: {words}. The median is {100 * median:.0f} %."
        return _inline(figure, name, "Distribution of scores", text)


def exercise_picture(exercises: Sequence[ExerciseSummary], name: str = "exercises") -> Markup:
    """Of every exercise the mean score as a bar, and a mark at the share of submissions with full points."""
    names = [_short(shown(each.name)) for each in exercises]
    with matplotlib.rc_context(_RC):
        figure, axes = _figure(0.3 + 0.42 * max(len(names), 1))
        places = range(len(names))
        axes.barh(places, [100] * len(names), height=0.22, color=_SOFT)
        axes.barh(places, [100 * each.share for each in exercises], height=0.22, color=_BAR)
        rates = [100 * each.pass_rate for each in exercises]
        axes.plot(rates, places, "D", color=_INK, markersize=5.5, markeredgecolor=_PAPER, clip_on=False)
        for place, (label, each) in enumerate(zip(names, exercises, strict=True)):
            axes.annotate(label, (0, place - 0.17), va="bottom", ha="left")
            mean = f"{100 * each.share:.0f} %"
            axes.annotate(mean, (100, place - 0.17), va="bottom", ha="right", color=_MUTED)
        axes.set_xlim(0, 100)
        axes.set_ylim(max(len(names), 1) - 0.7, -0.7)  # the first one on top, below its name
        told = "; ".join(
            f"{shown(each.name)}: mean {100 * each.share:.0f} %, full points {100 * each.pass_rate:.0f} %"
            for each in exercises
        )
        text = f"A bar is the mean score, a diamond the share of submissions with full points. {told}."
        return _inline(figure, name, "Exercises of the class", text)


def _short(text: str, length: int = 44) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _figure(height: float, above: float = 0.0) -> tuple[Figure, Axes]:
    """A figure over the whole width, for percents, with `above` inches left free above the axes."""
    figure = Figure(figsize=(_WIDTH, height))
    FigureCanvasSVG(figure)
    below = 0.3
    axes = figure.add_axes((0, below / height, 1, 1 - (below + above) / height))
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.tick_params(length=0)
    ticks = range(0, 101, 20)
    axes.set_xticks(ticks, [f"{tick} %" for tick in ticks])
    labels = axes.get_xticklabels()
    labels[0].set_horizontalalignment("left")  # centred ones would stick out
    labels[-1].set_horizontalalignment("right")
    axes.set_yticks([])
    return figure, axes


def _inline(figure: Figure, name: str, title: str, description: str) -> Markup:
    """The figure as an element of a page: its ids begin with `name`, title and description are its text."""
    file = io.StringIO()
    with warnings.catch_warnings():
        # it measures text with its own font; who reads the page has others
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(file.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            # a style element inside would be one of the whole page, metadata names sites of vocabularies
            if child.tag in (f"{{{_SVG}}}style", f"{{{_SVG}}}metadata"):
                parent.remove(child)
    _rename(root, name)
    root.attrib.update({"role": "img", "class": "picture", "aria-labelledby": f"{name}-title {name}-desc"})
    for attribute in ("width", "height", "version"):  # the page decides how large it is
        del root.attrib[attribute]
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{tag}"})
        element.text = text
        root.insert(position, element)
    for element in root.iter():
        # the page's parser knows what svg is, and wants no namespaces
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
    # every text stands escaped in what ElementTree writes
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=True))


def _rename(root: ElementTree.Element, name: str) -> None:
    """Ids that no other picture of a page has, and colours of the page."""
    for element in root.iter():
        if _XLINK in element.attrib:
            element.set("href", element.attrib.pop(_XLINK))
        for key, value in element.attrib.items():
            if key == "id":
                element.set(key, f"{name}-{value}")
            else:
                value = re.sub(r"^#|(?<=url\()#", f"#{name}-", value)
                element.set(key, _style(value) if key == "style" else value)


def _style(style: str) -> str:
    for color, variable in _VARIABLES.items():
        style = style.replace(color, f"var({variable})")
    return re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", style)

"""A plot as a picture: SVG that takes a page's colours, and PNG with a white ground.

Everything is drawn once in the colours of a bright page. In the SVG each of these colours becomes
a variable of the page's style (``--ink``, ``--grid``, ``--series-1`` ...), so one picture serves
bright pages, dark ones and paper. Other colours, such as a heat map's, stay as they are.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ostro.evaluation.report.contents import Plot
from ostro.runtime.extras import require_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1b1f24"
GRID = "#d5d9de"
PAPER = "#fffffe"
SERIES = (
    "#1f6fd1", "#c2570c", "#22784a", "#7b3fb5", "#b3224f", "#0b7285", "#7a6213", "#5b6470",
)  # fmt: skip
"""Colours of lines and bars. Each is told from its ground by a contrast of 4.5 and more."""

_VARIABLES: Mapping[str, str] = {
    INK: "var(--ink)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    "#000000": "var(--ink)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, 1)},
}
# Verdana is as wide as DejaVu, so labels stay in their places.
_EVERYWHERE = (
    "fill: var(--ink); stroke-linejoin: round; stroke-linecap: butt; "
    "font-family: 'DejaVu Sans', Verdana, sans-serif"
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_PNG_DOTS_PER_INCH = 160


def svg_of(plot: Plot, prefix: str) -> str:
    """A plot as an ``<svg>`` element for the middle of an HTML page.

    It refers to nothing outside itself; its texts are texts; its ids begin with ``prefix``, which
    no other picture of the page may have. An OstroError where matplotlib is missing.
    """
    file = io.BytesIO()
    with _style():
        _drawn(plot).savefig(file, format="svg", transparent=True, metadata=_nothing_said())
    root = ElementTree.fromstring(_CONTROL.sub(b"?", file.getvalue()))
    _make_inline(root, prefix)
    root.attrib.pop("height", None)
    root.set("width", "100%")
    root.set("style", f"max-width: {plot.size[0] * 96:.0f}px; {_EVERYWHERE}")
    root.set("role", "img")
    root.set("aria-label", f"{plot.title}. {plot.caption}")
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def write_png(plot: Plot, path: Path) -> None:
    """A plot as a PNG file, on white. An OstroError where matplotlib is missing."""
    with _style():
        figure = _drawn(plot)
        figure.savefig(path, format="png", dpi=_PNG_DOTS_PER_INCH, facecolor="white")


def _drawn(plot: Plot) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=plot.size, layout="constrained")
    plot.draw(figure)
    _write_plain_powers(figure)
    return figure


def _write_plain_powers(figure: "Figure") -> None:
    """Logarithmic axes label their ticks with numbers: dollars in a name are no formulas here."""
    from matplotlib.ticker import FuncFormatter, LogFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axis.set_minor_formatter(FuncFormatter(lambda _, __: ""))


@contextmanager
def _style() -> Iterator[None]:
    """How everything is drawn; afterwards matplotlib is as it was."""
    require_extra("matplotlib", "evaluate")
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context(_settings()):
        # A model's name may be in any script; in the SVG it is text all the same.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        yield


def _settings() -> dict[Any, Any]:
    from matplotlib import rcParamsDefault
    from matplotlib.rcsetup import cycler

    ink = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    backend = {"backend", "backend_fallback"}
    return {
        **{name: value for name, value in rcParamsDefault.items() if name not in backend},
        **dict.fromkeys(ink, INK),
        "axes.prop_cycle": cycler(color=list(SERIES)),
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": "medium",
        "font.size": 9.0,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "ostro",
        "text.parse_math": False,
    }


def _nothing_said() -> dict[str, None]:
    """No date and no program in the file: the same numbers give the same bytes."""
    return {"Date": None, "Creator": None, "Format": None, "Type": None}


def _make_inline(root: ElementTree.Element, prefix: str) -> None:
    """No namespaces, no metadata, no ids but its own, and the page's colours."""
    # Matplotlib's rules of style would hold for the page's other pictures; see _EVERYWHERE.
    for parent in list(root.iter()):
        for child in [child for child in parent if _local(child.tag) in ("metadata", "style")]:
            parent.remove(child)
    root.attrib.pop("version", None)
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(name): value for name, value in element.attrib.items()}
        element.attrib.clear()
        for name, value in attributes.items():
            element.set(name, _inlined(name, value, prefix))


def _inlined(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    if name in ("style", "fill", "stroke", "clip-path", "stop-color"):
        value = re.sub(r"url\(#", f"url(#{prefix}-", value)
        value = re.sub(r"#[0-9a-f]{6}\b", lambda found: _VARIABLES.get(found[0], found[0]), value)
        value = re.sub(r"font(-family)?: [^;]*'DejaVu Sans'[^;]*;? ?", _size_alone, value)
    return value


def _size_alone(found: re.Match[str]) -> str:
    """A text keeps its size and weight; its family is the picture's."""
    before = found[0].partition("'")[0]
    size = re.search(r"\d[\d.]*px", before)
    weight = "font-weight: bold" if "bold" in before or " 700 " in before else ""
    parts = [f"font-size: {size[0]}" if size else "", weight]
    return "".join(f"{part}; " for part in parts if part)


def _local(name: str) -> str:
    return name.rpartition("}")[2]

"""What quantising cost, for a report: a full model beside one or several quantised ones."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ostro.errors import OstroError
from ostro.evaluation.measurement import Found
from ostro.evaluation.quantisation import WINDOW, Comparison, compare, require_one_model
from ostro.evaluation.report.contents import Block, Cell, Plot, Section, Table
from ostro.evaluation.report.plots import add_legend
from ostro.evaluation.results import Results
from ostro.evaluation.shipped_text import TEXT_NAME, shipped_text
from ostro.evaluation.statistics import Estimate
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress

if TYPE_CHECKING:  # matplotlib is imported only where something is drawn.
    from matplotlib.figure import Figure

_UNIT = "comparison"


@dataclass(frozen=True, kw_only=True)
class QuantisationReport:
    """Both models of a pair read the same text; see :mod:`ostro.evaluation.quantisation`."""

    text: str = field(default_factory=shipped_text, repr=False)
    text_name: str = TEXT_NAME
    window: int = WINDOW
    """Tokens that are read together."""

    @property
    def name(self) -> str:
        """``quantisation``."""
        return "quantisation"

    def check(self, full: Subject, quantised: Subject) -> None:
        """Refuse two that are not one model, and windows that they cannot read."""
        require_one_model((full.name, full.geometry), (quantised.name, quantised.geometry))
        context = min(full.context, quantised.context)
        if self.window > context:
            raise OstroError(
                f"{full.name} and {quantised.name} read {context} tokens, not windows of "
                f"{self.window}; give smaller ones"
            )

    def measure(
        self, full: Subject, quantised: Subject, results: Results, progress: Progress
    ) -> Found:
        """Compare them, unless that is known; both are then in memory at once."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        protocol = {"full": full.key, "text": digest, "window": self.window}
        with results.open(quantised.key, self.name, protocol) as units:
            if _UNIT not in units:
                models = (full.llm, quantised.llm)
                comparison = compare(*models, self.text, self.window, progress)
                units.add(_UNIT, comparison.to_dict())
            found: Found = {**units[_UNIT], "full": full.name, "quantised": quantised.name}
        return found

    def section(self, found: Mapping[str, Found]) -> Section:
        """What was found, by the name of the quantised model."""
        comparisons = [Comparison.from_dict(values) for values in found.values()]
        return quantisation_section(comparisons, self.text_name, dict(found))


def quantisation_section(
    comparisons: Sequence[Comparison], text_name: str, data: Mapping[str, Found]
) -> Section:
    """A table, and a plot of where the experts changed if there are any."""
    blocks: list[Block] = [_table(comparisons)]
    if any(one.same_experts for one in comparisons):
        blocks.append(_experts_plot([one for one in comparisons if one.same_experts]))
    windows = " or ".join(sorted({f"{one.window:,}" for one in comparisons}))
    return Section(
        name="quantisation",
        title="Quantisation",
        protocol=(
            f"The full and the quantised model read {text_name} in the same windows of {windows} "
            "tokens. The divergence of a token is KL(full || quantised) of what comes next, in "
            "nats; they agree where both find the same token likeliest; a token's experts stay "
            "where its set of experts in a layer is the same in both."
        ),
        blocks=blocks,
        data=data,
    )


def _table(comparisons: Sequence[Comparison]) -> Table:
    return Table(
        name="quantisation",
        title="What quantising cost",
        columns=[
            "quantised",
            "full",
            "tokens",
            "perplexity, full",
            "perplexity, quantised",
            "change, %",
            "KL divergence, nats",
            "its median",
            "same likeliest token, %",
            "same experts, %",
        ],
        rows=[_row(one) for one in comparisons],
    )


def _row(one: Comparison) -> list[Cell]:
    experts = Cell(missing="a dense model has none")
    if one.same_experts:
        experts = Cell(number=sum(one.same_experts) / len(one.same_experts), scale=100, digits=2)
    divergence = Estimate(one.divergence, one.divergence_error, one.tokens)
    change = one.quantised_perplexity / one.full_perplexity - 1
    return [
        Cell(text=one.quantised),
        Cell(text=one.full),
        Cell(number=one.tokens, digits=0),
        Cell(number=one.full_perplexity, digits=4),
        Cell(number=one.quantised_perplexity, digits=4),
        Cell(number=change, scale=100, digits=2),
        Cell(number=divergence, digits=6),
        Cell(number=one.median_divergence, digits=6),
        Cell(number=one.agreement, scale=100, digits=2),
        experts,
    ]


def _experts_plot(comparisons: Sequence[Comparison]) -> Plot:
    rows = [
        (one.quantised, layer, share)
        for one in comparisons
        for layer, share in enumerate(one.same_experts)
    ]

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for one in comparisons:
            shares = [100 * share for share in one.same_experts]
            axes.plot(range(len(shares)), shares, marker="o", label=one.quantised)
        axes.set(xlabel="layer", ylabel="tokens with the same experts, %")
        add_legend(figure)

    return Plot(
        name="quantisation-experts",
        title="Tokens whose experts stayed, by layer",
        caption="Per cent of the tokens whose set of experts is that of the full model.",
        data={
            name: [row[place] for row in rows]
            for place, name in enumerate(("quantised", "layer", "same experts"))
        },
        draw=draw,
    )

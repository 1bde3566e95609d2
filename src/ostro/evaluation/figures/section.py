"""All pictures of the guide's two Mixtral pages, in their order."""

from collections.abc import Mapping

from ostro.evaluation.figures.charts import bars_plot, cost_plot, lines_plot
from ostro.evaluation.figures.context import passkey_plot, perplexity_plot
from ostro.evaluation.figures.layers import layer_plots
from ostro.evaluation.figures.results import ModelResults
from ostro.evaluation.figures.tables import (
    arena_table,
    bias_table,
    gpt_table,
    language_table,
    main_table,
    maths_table,
    reasoning_table,
)
from ostro.evaluation.report.contents import Block, Section

_PROTOCOL = (
    "The pictures of the Prompt Engineering Guide's pages on Mixtral 8x7B and 8x22B, made anew from"
    " the published numbers. Where a picture prints no numbers they were read off its axes and have"
    " the sign ~. What was measured with ostro stands beside them with its own protocol; what was"
    " not is named, and nothing is filled in."
)


def figures(found_by_model: Mapping[str, ModelResults]) -> Section:
    """The pictures, with a place in each for every model; an empty mapping gives Mixtral alone."""
    found = dict(found_by_model)
    blocks: list[Block] = [
        *layer_plots(found),
        bars_plot(found),
        main_table(found),
        lines_plot(found),
        gpt_table(found),
        language_table(found),
        passkey_plot(found),
        perplexity_plot(found),
        bias_table(found),
        arena_table(found),
        cost_plot(found),
        reasoning_table(found),
        maths_table(found),
    ]
    return Section(
        name="figures",
        title="The guide's pictures",
        protocol=_PROTOCOL,
        blocks=blocks,
        data={name: one.to_dict() for name, one in found.items()},
    )

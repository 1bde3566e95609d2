"""How BOLD's scores are shown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ostro.evaluation.measurement import Found
from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.report.contents import Cell, Section, Table

# The bias table of Mixtral's announcement: average and standard deviation by domain.
_PUBLISHED = (
    (
        "Mixtral 8x7B",
        (
            ("gender", 0.323, 0.045),
            ("profession", 0.243, 0.087),
            ("religious_ideology", 0.144, 0.089),
            ("political_ideology", 0.186, 0.146),
            ("race", 0.232, 0.052),
        ),
    ),
    (
        "Llama 2 70B",
        (
            ("gender", 0.293, 0.073),
            ("profession", 0.218, 0.073),
            ("religious_ideology", 0.188, 0.133),
            ("political_ideology", 0.149, 0.140),
            ("race", 0.232, 0.049),
        ),
    ),
)

_PUBLISHED_NOTES = (
    "Published: average and standard deviation as the announcement gives them; how they were "
    "taken, and with which tool, was not published.",
)


def bold_section(found: Mapping[str, Found], way: str) -> Section:
    """Means and spreads of the domains, and each group's mean."""
    tools = ", ".join(dict.fromkeys(one["tool"] for one in found.values()))
    domains = list(dict.fromkeys(name for one in found.values() for name in one["domains"]))
    return Section(
        name="bold",
        title="Bias: BOLD",
        protocol=(
            f"Beginnings of sentences about groups of people, continued: {way}. The sentiment of "
            f"each continuation, without its prompt, is the compound score of {tools}, from -1 to "
            "1. Of a domain the mean of its groups' means is shown, and their standard deviation "
            "(n - 1): the less, the more alike groups are treated."
        ),
        blocks=[_means(found, domains), _spreads(found, domains), _groups(found)],
        data=dict(found),
    )


def _means(found: Mapping[str, Found], domains: Sequence[str]) -> Table:
    empty = [
        f"{model}: {one['empty']} continuations are empty and count as 0"
        for model, one in found.items()
        if one["empty"]
    ]
    return Table(
        name="bold-means",
        title="Sentiment: mean of the groups' means",
        columns=["model", *map(_words, domains)],
        rows=[
            *_rows(found, domains, _mean_cell),
            *_published_rows(domains, 0),
        ],
        notes=[*empty, *_PUBLISHED_NOTES],
    )


def _spreads(found: Mapping[str, Found], domains: Sequence[str]) -> Table:
    return Table(
        name="bold-spreads",
        title="Sentiment: standard deviation of the groups' means",
        columns=["model", *map(_words, domains)],
        rows=[*_rows(found, domains, _spread_cell), *_published_rows(domains, 1)],
        notes=_PUBLISHED_NOTES,
    )


def _rows(
    found: Mapping[str, Found],
    domains: Sequence[str],
    cell: Callable[[Mapping[str, Any]], Cell],
) -> list[list[Cell]]:
    return [
        [Cell(text=model), *(_of_domain(one["domains"].get(domain), cell) for domain in domains)]
        for model, one in found.items()
    ]


def _of_domain(value: Mapping[str, Any] | None, cell: Callable[[Mapping[str, Any]], Cell]) -> Cell:
    return Cell(missing="the data has no such prompt") if value is None else cell(value)


def _mean_cell(value: Mapping[str, Any]) -> Cell:
    note = f"n = {value['mean']['n']} in {len(value['groups'])} groups"
    return Cell(number=read_estimate(value["mean"]), digits=3, note=note)


def _spread_cell(value: Mapping[str, Any]) -> Cell:
    if value["spread"] is None:
        return Cell(missing="there is one group only")
    noise = value["noise"]
    note = (
        "the part of chance cannot be told, with single texts of a group"
        if noise is None
        else f"chance in drawing the texts would give {noise:.3f} alone"
    )
    return Cell(number=value["spread"], digits=3, note=note)


def _published_rows(domains: Sequence[str], which: int) -> list[list[Cell]]:
    rows = []
    for model, published in _PUBLISHED:
        values = {domain: numbers for domain, *numbers in published}
        cells = [
            Cell(number=values[domain][which], digits=3)
            if domain in values
            else Cell(missing="not published")
            for domain in domains
        ]
        rows.append([Cell(text=f"{model} (published)"), *cells])
    return rows


def _groups(found: Mapping[str, Found]) -> Table:
    names = dict.fromkeys(
        (domain, group)
        for one in found.values()
        for domain, value in one["domains"].items()
        for group in value["groups"]
    )
    return Table(
        name="bold-groups",
        title="Sentiment by group",
        columns=["domain", "group", *found],
        names=2,
        rows=[
            [
                Cell(text=_words(domain)),
                Cell(text=_words(group)),
                *(_group_cell(one["domains"], domain, group) for one in found.values()),
            ]
            for domain, group in names
        ],
    )


def _group_cell(domains: Mapping[str, Any], domain: str, group: str) -> Cell:
    value = domains.get(domain, {"groups": {}})["groups"].get(group)
    if value is None:
        return Cell(missing="no text was drawn")
    return Cell(number=read_estimate(value), digits=3, note=f"n = {value['n']}")


def _words(name: str) -> str:
    return name.replace("_", " ")

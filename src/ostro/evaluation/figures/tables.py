"""The page's tables of scores, with a row or a column for each other model."""

from collections.abc import Iterator, Mapping, Sequence

from ostro.evaluation.figures.results import ModelResults, missing_sentence
from ostro.evaluation.published.arena import ARENA, ELO, places
from ostro.evaluation.published.lookup import references
from ostro.evaluation.published.mixtral_8x7b import (
    BIAS_COLUMNS,
    BIAS_TABLE,
    BOLD_GROUPS,
    COMMON_COLUMNS,
    GPT_COLUMNS,
    GPT_TABLE,
    LANGUAGE_COLUMNS,
    LANGUAGE_TABLE,
    MAIN_TABLE,
)
from ostro.evaluation.published.mixtral_8x22b import (
    MATHS,
    MATHS_COLUMNS,
    REASONING,
    REASONING_COLUMNS,
)
from ostro.evaluation.published.reference import ACTIVE_PARAMETERS, Column, Reference, Source
from ostro.evaluation.report.contents import Cell, Table

Found = Mapping[str, ModelResults]
_NOT_PUBLISHED = Cell(missing="not published")


def main_table(found: Found) -> Table:
    """mixtral-benchmarks-2."""
    return _by_model(MAIN_TABLE, "Mixtral, Mistral and Llama, in %", COMMON_COLUMNS, found)


def gpt_table(found: Found) -> Table:
    """mixtral-benchmarks-4: benchmarks are rows."""
    return _by_benchmark(
        GPT_TABLE, "Mixtral beside GPT-3.5 and Llama 2 70B, in %", GPT_COLUMNS, found
    )


def language_table(found: Found) -> Table:
    """mixtral-benchmarks-5."""
    title = "French, German, Spanish and Italian, in %"
    return _by_model(LANGUAGE_TABLE, title, LANGUAGE_COLUMNS, found)


def reasoning_table(found: Found) -> Table:
    """mixtral-8-reasoning."""
    title = "Mixtral 8x22B: reasoning and knowledge, in %"
    return _by_model(REASONING, title, REASONING_COLUMNS, found)


def maths_table(found: Found) -> Table:
    """mixtral-8-maths."""
    return _by_model(MATHS, "Mixtral 8x22B: code and mathematics, in %", MATHS_COLUMNS, found)


def bias_table(found: Found) -> Table:
    """mixtral-benchmarks-7: a model is a column."""
    models = _models(BIAS_TABLE)
    rows = []
    for column in BIAS_COLUMNS:
        label = "BBQ accuracy, %" if column.benchmark == "BBQ" else f"{column.benchmark}, sentiment"
        published = [_published_cell(BIAS_TABLE, column, model) for model in models]
        own = [_bias_cell(one, column) for one in found.values()]
        rows.append([Cell(text=label), *published, *own])
    missing = (
        missing_sentence(name, [c.benchmark for c in BIAS_COLUMNS if _lacks(one, c)])
        for name, one in found.items()
    )
    return Table(
        name=BIAS_TABLE.name,
        title="Bias: BBQ's accuracy and BOLD's mean sentiment with its standard deviation (SD)",
        columns=["Measure", *models, *found],
        rows=rows,
        notes=_notes(BIAS_TABLE, missing),
    )


def arena_table(found: Found) -> Table:
    """mixtral-chatbot-arena. Points of other models stand below, without a rank."""
    columns = ["Model", "Rank", "Arena Elo", "95% CI", "Votes", "Organization", "License"]
    rows = [
        [
            Cell(text=place.model),
            Cell(number=place.rank, digits=0),
            Cell(number=place.elo, digits=0),
            Cell(text=f"+{place.above}/-{place.below}"),
            Cell(number=place.votes, digits=0),
            Cell(text=place.organization),
            Cell(text=place.license),
        ]
        for place in places()
    ]
    empty = Cell(text="")
    for name, one in found.items():
        rows.append([Cell(text=name), empty, one.cell(ELO, 0), empty, empty, empty, empty])
    missing = (
        missing_sentence(name, [] if one.score(ELO) is not None else ["Arena Elo"])
        for name, one in found.items()
    )
    title = "Chatbot Arena: what people prefer"
    return Table(
        name=ARENA.name, title=title, columns=columns, rows=rows, notes=_notes(ARENA, missing)
    )


def _by_model(source: Source, title: str, columns: Sequence[Column], found: Found) -> Table:
    """A model is a row. The paper rounds active parameters to whole thousand millions."""
    digits = 0 if source in (MAIN_TABLE, LANGUAGE_TABLE) else 1
    rows = [
        [Cell(text=model), _size(ACTIVE_PARAMETERS.get(model), digits)]
        + [_published_cell(source, column, model) for column in columns]
        for model in _models(source)
    ]
    rows += [
        [Cell(text=name), _size(one.active_parameters, digits)]
        + [one.cell(column, 1) for column in columns]
        for name, one in found.items()
    ]
    return Table(
        name=source.name,
        title=title,
        columns=["Model", "Active", *_labels(columns)],
        names=2,
        rows=rows,
        notes=_notes(source, [_protocols(columns), *_missing(columns, found)]),
    )


def _by_benchmark(source: Source, title: str, columns: Sequence[Column], found: Found) -> Table:
    """A benchmark is a row."""
    models = _models(source)
    rows = [
        [Cell(text=label)]
        + [_published_cell(source, column, model) for model in models]
        + [one.cell(column, 1 if column.is_share else 2) for one in found.values()]
        for column, label in zip(columns, _labels(columns, always=True), strict=True)
    ]
    return Table(
        name=source.name,
        title=title,
        columns=["Benchmark", *models, *found],
        rows=rows,
        notes=_notes(source, _missing(columns, found)),
    )


def _models(source: Source) -> list[str]:
    """Whom a table is about, in its order."""
    return list(dict.fromkeys(one.model for one in references(source=source)))


def _published_cell(source: Source, column: Column, model: str) -> Cell:
    found = _exact(source, column, model)
    return _NOT_PUBLISHED if found is None else found.cell()


def _exact(source: Source, column: Column, model: str) -> Reference | None:
    fitting = (one for one in references(column.benchmark, model=model, source=source))
    return next((one for one in fitting if one.column == column), None)


def _labels(columns: Sequence[Column], *, always: bool = False) -> list[str]:
    """Names of benchmarks, with their protocol where two would read alike."""
    names = [column.benchmark for column in columns]
    return [
        f"{name} ({column.protocol})"
        if column.protocol and (always or names.count(name) > 1)
        else name
        for name, column in zip(names, columns, strict=True)
    ]


def _size(billions: float | None, digits: int) -> Cell:
    if billions is None:
        return Cell(missing="its geometry is not known")
    rounded = round(billions, digits) if billions >= 1 else float(f"{billions:.2g}")
    return Cell(number=billions, text=f"{rounded:g}B")


def _bias_cell(one: ModelResults, column: Column) -> Cell:
    if column.benchmark == "BBQ":
        return one.cell(column, 1)
    sentiment = one.sentiment(_bold_group(column))
    if sentiment is None:
        return Cell(missing="not measured")
    return Cell(
        number=sentiment.mean, text=f"{sentiment.mean:.3f}, SD {sentiment.deviation:.3f}", digits=3
    )


def _lacks(one: ModelResults, column: Column) -> bool:
    if column.benchmark == "BBQ":
        return one.score(column) is None
    return one.sentiment(_bold_group(column)) is None


def _bold_group(column: Column) -> str:
    return next(group for group in BOLD_GROUPS if column.benchmark == f"BOLD {group}")


def _protocols(columns: Sequence[Column]) -> str:
    """As published, a benchmark after another."""
    known = [f"{column.benchmark} {column.protocol}" for column in columns if column.protocol]
    return f"Published protocols: {'; '.join(known)}." if known else ""


def _missing(columns: Sequence[Column], found: Found) -> Iterator[str]:
    for name, one in found.items():
        labels = zip(_labels(columns), columns, strict=True)
        yield missing_sentence(name, [label for label, c in labels if one.score(c) is None])


def _notes(source: Source, others: Iterator[str] | Sequence[str]) -> list[str]:
    lines = [f"{source.text}.", source.note, *others]
    return [line.strip() for line in lines if line.strip()]

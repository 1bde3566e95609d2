"""Held-out perplexity by domain, of the model and of its parent on the same tokens.

Of ``eval/routing_domains`` (5 % of every corpus, kept out of it) so many documents of each domain
are drawn, and the first 1,024 tokens of each are read in one window, which begins as a text of its
own does. The losses of both models are paired document by document; a domain's difference in nats a
token and its error are a ratio's over documents. A domain is worse if its difference exceeds 0 by
more than two standard errors. Of twenty domains that do not differ at all, such a test calls one
worse in about two of five calls: the difference over all documents is told beside them.
"""

import math
from collections.abc import Sequence
from typing import Any

from demo_checks.pairing import difference_per_token, is_not_above, told
from demo_checks.setup import MODEL, PARENT, Setup, same_tokens
from demo_checks.verdict import Verdict, all_of
from ostro.evaluation.experts import window_losses
from ostro.evaluation.routing_analysis.documents import RoutingDocument, routing_documents
from ostro.evaluation.statistics import Estimate, ratio_of

TOKENS = 1024
DOCUMENTS = 12
"""Of each domain, where there are as many."""
ALL = "all documents"

Loss = Sequence[Any]
"""Nats of a document, and over how many tokens."""


def check_domains(setup: Setup) -> Verdict:
    """In no domain worse than the parent by more than two standard errors."""
    documents = routing_documents(setup.evaluation, setup.number(DOCUMENTS), 0)
    losses = {side: _losses(setup, side, documents) for side in setup.sides}
    own, other = losses[MODEL], losses[PARENT]
    for document, (_, tokens), (_, others) in zip(documents, own, other, strict=True):
        same_tokens(setup, document.text, tokens, others)
    rows = {name: _compared(places, own, other) for name, places in _places(documents).items()}
    total, single = rows.pop(ALL), [row["ok"] for row in rows.values()]
    worse = [name for name, row in rows.items() if row["ok"] is False]
    return Verdict(
        name="domains",
        passed=all_of(single),
        goal="worse in no domain",
        result=f"worse in {len(worse)} of {len(rows)}; all: {total['told']} millinats a token",
        found={"domains": rows, ALL: total, "tokens": TOKENS},
        lines=[_line(name, row) for name, row in [*rows.items(), (ALL, total)]],
    )


def _losses(setup: Setup, side: str, documents: Sequence[RoutingDocument]) -> list[Loss]:
    subject = setup.sides[side]
    tokens = min(TOKENS, subject.context - 1)
    with setup.results.open(subject.key, "demo-domains", {"tokens": tokens}) as units:
        missing = [one for one in documents if one.key not in units]
        # Some at a time, so that a call that is stopped has kept what it did.
        for start in range(0, len(missing), 16):
            part = missing[start : start + 16]
            windows = [subject.llm.encode(one.text)[:tokens] for one in part]
            label = f"perplexity of {subject.name}, {start + len(part)} of {len(missing)}"
            for one, loss in zip(
                part, window_losses(subject.llm, windows, None, setup.progress, label), strict=True
            ):
                units.add(one.key, loss)
        return [units[one.key] for one in documents]


def _places(documents: Sequence[RoutingDocument]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for number, one in enumerate(documents):
        places.setdefault(one.domain, []).append(number)
    return places | {ALL: list(range(len(documents)))}


def _compared(places: Sequence[int], own: Sequence[Loss], other: Sequence[Loss]) -> dict[str, Any]:
    tokens = [own[place][1] for place in places]
    nats, others = ([losses[place][0] for place in places] for losses in (own, other))
    difference = difference_per_token(nats, others, tokens)
    return {
        "documents": len(places),
        "tokens": sum(tokens),
        "model": _perplexity(ratio_of(nats, tokens)),
        "parent": _perplexity(ratio_of(others, tokens)),
        "difference": difference.to_dict(),
        "interval": difference.interval,
        "ok": is_not_above(difference),
        "told": told(difference, 1000),
    }


def _perplexity(loss: Estimate) -> float:
    return math.exp(loss.value)


def _line(name: str, row: dict[str, Any]) -> str:
    word = {True: "ok", False: "worse", None: "one document"}[row["ok"]]
    return (
        f"{name:<26}{row['documents']:>4}{row['model']:>9.2f}{row['parent']:>9.2f}"
        f"{row['told']:>18}  {word}"
    )

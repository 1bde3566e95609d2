"""Text coloured by expert: figure 8 of the Mixtral paper.

An expert is told three times, so that it can be seen without colour and on paper: by the ground
behind its tokens, by the line at them, and by its number in their ``title``. Grounds let the page
shine through, so that they suit light and dark ones.
"""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

from ostro.evaluation.report.contents import Markup
from ostro.text.detokenise import Detokeniser
from ostro.text.tokenizer import Tokenizer

# Paul Tol's bright and vibrant schemes, which the colour-blind can tell apart.
_COLOURS = ("4477aa", "ee6677", "228833", "ccbb44", "66ccee", "aa3377", "ee7733", "999999")
_OPACITY = "66"
_LINES = ("solid", "dashed", "dotted", "wavy")
_SIDES = ("underline", "overline")


def token_texts(tokenizer: Tokenizer, token_ids: Sequence[int]) -> list[str]:
    """What each token adds to the text; a character of several tokens belongs to its last."""
    detokeniser = Detokeniser(tokenizer, mid_text=True)
    texts = [detokeniser.feed(token) for token in token_ids]
    texts[-1] += detokeniser.flush()
    return texts


def coloured_text(
    title: str, texts: Sequence[str], experts: Mapping[int, Sequence[int]], num_experts: int
) -> Markup:
    """The tokens' texts once for each layer, of which ``experts`` has a token's first choice."""
    blocks = [f"<p>{_legend(num_experts)}</p>"]
    plain = []
    for layer, chosen in experts.items():
        pairs = list(zip(texts, chosen, strict=True))
        spans = "".join(_span(text, expert) for text, expert in pairs)
        blocks.append(
            f"<h4>layer {layer}</h4>"
            f'<pre style="white-space:pre-wrap;overflow-wrap:anywhere">{spans}</pre>'
        )
        plain.append(f"layer {layer}: {_plain(pairs)}")
    return Markup(title=title, html="\n".join(blocks), plain="\n\n".join(plain))


def _legend(num_experts: int) -> str:
    samples = (_span(f"expert {expert}", expert) for expert in range(num_experts))
    return "first choice: " + " ".join(samples)


def _span(text: str, expert: int) -> str:
    colour = _COLOURS[expert % len(_COLOURS)]
    line = _LINES[expert % len(_LINES)]
    side = _SIDES[expert // len(_LINES) % len(_SIDES)]
    style = f"background:#{colour}{_OPACITY};text-decoration:{side} {line} #{colour} 2px"
    number = f"expert {expert}"
    return f'<span class="expert-{expert}" title="{number}" style="{style}">{escape(text)}</span>'


def _plain(pairs: Sequence[tuple[str, int]]) -> str:
    """The text with an expert's number in front of the tokens that follow one another at it."""
    runs = groupby(pairs, key=lambda pair: pair[1])
    return "".join(f"[{expert}]{''.join(text for text, _ in run)}" for expert, run in runs)

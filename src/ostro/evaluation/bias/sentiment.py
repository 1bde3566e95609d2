"""The sentiment of a text, by VADER's word lists and rules (Hutto & Gilbert, 2014)."""

from collections.abc import Callable
from importlib.metadata import version

from ostro.runtime.extras import require_extra

Sentiment = Callable[[str], float]


def vader_sentiment() -> tuple[str, Sentiment]:
    """The tool's name with its version, and what gives a text's compound score, -1 to 1."""
    module = require_extra("vaderSentiment.vaderSentiment", "evaluate")
    analyser = module.SentimentIntensityAnalyzer()

    def compound(text: str) -> float:
        return float(analyser.polarity_scores(text)["compound"])

    return f"VADER (vaderSentiment {version('vaderSentiment')})", compound

"""The pictures of the guide's Mixtral pages, drawn anew with other models beside Mixtral."""

from ostro.evaluation.figures.results import ModelResults, PasskeyCell, Sentiment
from ostro.evaluation.figures.section import figures

__all__ = ["ModelResults", "PasskeyCell", "Sentiment", "figures"]

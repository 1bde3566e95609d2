"""What JSON's plain values stood for."""

from collections.abc import Mapping
from typing import Any

from ostro.evaluation.statistics import Estimate


def read_estimate(values: Mapping[str, Any]) -> Estimate:
    """The estimate whose :meth:`~ostro.evaluation.statistics.Estimate.to_dict` this is."""
    return Estimate(values["value"], values["error"], values["n"])

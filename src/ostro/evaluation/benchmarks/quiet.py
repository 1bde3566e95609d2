"""Libraries that talk while they work, made silent for a while."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ostro.evaluation.benchmarks.harness import EXTRA
from ostro.runtime.extras import require_extra

_LOGGERS = ("lm_eval", "datasets", "huggingface_hub")


@contextmanager
def quiet() -> Iterator[None]:
    """No messages below an error, and no bars, from lm-eval and what it reads data with."""
    datasets: Any = require_extra("datasets", EXTRA)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    bars = not datasets.utils.are_progress_bars_disabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    datasets.utils.disable_progress_bars()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            datasets.utils.enable_progress_bars()

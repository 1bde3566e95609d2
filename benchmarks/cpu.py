"""ostro beside the fastest CPU engines: same file, same threads, in turn, in one run.

    .venv/bin/python benchmarks/cpu.py [--only ROW]... [--json] [--cache DIR]

Without ``--only`` all rows run but those of the whole 8x7B, which need 20 GB of disk. The models
are synthetic, and made once in the cache, as are the peers' environments. A row measures its
engines round by round and takes the medians; while there is patience it waits for moments in which
nobody else uses the processor. What is being done is told on standard error.
"""

import argparse
import sys
from pathlib import Path

from contest import Contest
from cpu_rows import LARGE, ROWS
from machine import default_cache, describe, threads_to_use
from ostro.errors import OstroError
from ostro.runtime.progress import TerminalProgress
from peers.environments import PEERS
from results import Result, print_results

ALL_PEERS = (*(peer.name for peer in PEERS), "transformers")


def main() -> int:
    """Run the rows. A missed goal is a result, not an error; a mistake is exit code 2."""
    arguments = _parser().parse_args()
    rows = arguments.only or [name for name in ROWS if name not in LARGE]
    contest = Contest(
        cache=(arguments.cache or default_cache()).absolute(),
        threads=arguments.threads or threads_to_use(),
        rounds=arguments.rounds,
        patience=arguments.patience,
        peers=arguments.peer or ALL_PEERS,
        progress=TerminalProgress(),
    )
    results: list[Result] = []
    try:
        for name in rows:
            contest.progress.note(f"row {name}")
            results += ROWS[name](contest)
    except OstroError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    engines = [f"{name}: {words}" for name, words in contest.engines.items()]
    print_results("\n".join([describe(), *engines]), results, json_wanted=arguments.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="ostro beside the fastest CPU engines.")
    parser.add_argument(
        "--only", action="append", choices=[*ROWS], metavar="ROW", help=f"one of {', '.join(ROWS)}"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument(
        "--cache", type=Path, help="for models and peers [default: benchmarks in OSTRO_HOME]"
    )
    parser.add_argument("--threads", type=int, help="of every engine [default: all cores]")
    parser.add_argument("--rounds", type=int, default=5, help="that count, a row [default: 5]")
    parser.add_argument(
        "--patience", type=float, default=60, help="seconds to wait for quiet, a measurement"
    )
    parser.add_argument(
        "--peer",
        action="append",
        choices=ALL_PEERS,
        metavar="PEER",
        help=f"only these [default: all: {', '.join(ALL_PEERS)}]",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

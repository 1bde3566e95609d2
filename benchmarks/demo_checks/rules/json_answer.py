"""JSON prompts: the answer is one JSON object, with the keys and values that were asked for.

Right is an answer that, without white space around it and without one code fence around all of it,
parses as a JSON object with exactly the given keys, spelt as they were given, and exactly the given
values. Words before or after the object are wrong, as is a key that comes twice. The order of the
keys does not count, and is told; a number counts as its digits, as they are written (34.50), since
prompts show no quotes.
"""

import json
from collections.abc import Mapping
from typing import Any

from demo_checks.rules.fences import unfenced
from demo_checks.rules.judgement import Judgement


def judge_json(answer: str, wanted: Mapping[str, str]) -> Judgement:
    """Whether the answer is the object ``wanted``."""
    try:
        found = json.loads(
            unfenced(answer), object_pairs_hook=_object, parse_float=str, parse_int=str
        )
    except ValueError as error:
        return Judgement(False, f"no JSON: {error}")
    if not isinstance(found, dict):
        return Judgement(False, "JSON, but no object")
    if set(found) != set(wanted):
        return Judgement(False, f"keys {sorted(found)}")
    wrong = [key for key in wanted if found[key] != wanted[key]]
    if wrong:
        return Judgement(False, f"{wrong[0]} is {found[wrong[0]]!r}")
    return Judgement(True, "" if list(found) == list(wanted) else "keys in another order")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found

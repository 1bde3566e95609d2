"""Runs checks in a client's own environment, and tells of each in a line of JSON.

``python run.py MODULES WORLD``: the modules' functions that are called ``check_...``, one after
another. ``WORLD`` is a JSON object of the servers' addresses and whatever else they are given.
"""

import asyncio
import importlib
import inspect
import json
import sys
import traceback
from types import SimpleNamespace


def run(check, world):
    """Whether a check succeeds, and how it failed."""
    try:
        if inspect.iscoroutinefunction(check):
            asyncio.run(check(world))
        else:
            check(world)
    except Exception:
        return False, traceback.format_exc()
    return True, ""


def main():
    """All checks of the named modules."""
    world = SimpleNamespace(**json.loads(sys.argv[2]))
    for module in sys.argv[1].split(","):
        for name, check in list(vars(importlib.import_module(module)).items()):
            if name.startswith("check_"):
                ok, detail = run(check, world)
                print(json.dumps({"name": name, "ok": ok, "detail": detail}), flush=True)


if __name__ == "__main__":
    main()

"""A number hidden in noise is found at every length and depth: ``ostro eval passkey``.

Lengths are the powers of two from 512 to the context, 8,192 at most; depths 0, 25, 50, 75 and
100 %; three keys each, of which the answer's first integer must be one. The model alone is asked.
"""

from demo_checks.setup import Setup
from demo_checks.verdict import Verdict
from ostro.evaluation.long_context.lengths import chosen_lengths
from ostro.evaluation.long_context.passkey import Passkey

LONGEST = 8192
KEYS = 3


def check_passkey(setup: Setup) -> Verdict:
    """Every key."""
    lengths = [n for n in chosen_lengths(None, setup.model) if n <= LONGEST]
    passkey = Passkey(lengths=lengths, keys=setup.number(KEYS) or KEYS)
    passkey.check(setup.model)
    found = passkey.measure(setup.model, setup.results, setup.progress)
    cells = found["cells"]
    right, asked = (sum(cell[name] for cell in cells) for name in ("right", "keys"))
    missed = [cell for cell in cells if cell["right"] < cell["keys"]]
    return Verdict(
        name="passkey",
        passed=not missed and lengths[-1] == LONGEST,
        goal=f"all, to {LONGEST:,} tokens",
        result=f"{right} of {asked}, to {lengths[-1]:,} tokens",
        found=found,
        lines=[
            f"{cell['length']:,} tokens at {cell['depth']:.0%}: "
            f"{cell['right']} of {cell['keys']} ({' | '.join(cell['answers'])})"
            for cell in missed
        ],
    )

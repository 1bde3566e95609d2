"""How often consecutive tokens share experts if every choice is even and independent."""

import math


def first_repeat_chance(num_experts: int) -> float:
    """Chance that two tokens have the same first choice: 12.5 % of 8 experts."""
    return 1 / num_experts


def shared_chance(num_experts: int, top_k: int) -> float:
    """Chance that two tokens' sets of K experts have one in common: 46.4 % for 2 of 8.

    1 - C(E - K, K) / C(E, K): the second set must avoid all K of the first to share nothing.
    """
    return 1 - math.comb(num_experts - top_k, top_k) / math.comb(num_experts, top_k)

"""The checks, in the order in which they run: what is quick first."""

from collections.abc import Mapping
from types import MappingProxyType

from demo_checks.benchmarks import check_benchmarks
from demo_checks.benign import check_benign
from demo_checks.domains import check_domains
from demo_checks.examples import check_examples
from demo_checks.kl import check_kl
from demo_checks.paraphrases import check_paraphrases
from demo_checks.passkey import check_passkey
from demo_checks.plain import check_plain
from demo_checks.preferences import check_preferences
from demo_checks.routing import check_routing
from demo_checks.setup import Check

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "plain": check_plain,
        "examples": check_examples,
        "paraphrases": check_paraphrases,
        "benign": check_benign,
        "kl": check_kl,
        "routing": check_routing,
        "domains": check_domains,
        "preferences": check_preferences,
        "passkey": check_passkey,
        "benchmarks": check_benchmarks,
    }
)
"""By name."""

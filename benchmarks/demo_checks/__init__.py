"""What a trained demo is held to, one check a module; ``benchmarks/demo.py`` runs them.

Each check has the protocol in its docstring, measures the model and, where there is something to
compare, its dense parent, and gives a :class:`~demo_checks.verdict.Verdict`.
"""

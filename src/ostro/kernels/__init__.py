"""The few heavy operations, one a file, and the dispatch that picks their implementation.

Each operation has a plain PyTorch twin that says what it computes. A faster version has the same
signature, a parity test against the twin, and a benchmark.

Shape suffixes of names, here and in ``model``:
T tokens of a step, D model width, V vocabulary, H query heads, N key/value heads, G = H / N,
d head width, E experts, K experts a token uses, F feed-forward width, P pages, S slots of a page,
L tokens of one sequence that are in the cache.
"""

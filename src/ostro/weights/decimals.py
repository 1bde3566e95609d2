"""Decimals out of float32: what somebody wrote before a file rounded it."""

import struct


def shortest(number: float, unit: float = 1.0) -> float:
    """The decimal that a float32 was meant to be: 1e-5, not 9.999999747378752e-06.

    Where a file keeps a share of ``unit``, the decimal of which it is the share.
    """
    for digits in range(1, 10):
        candidate = float(f"{number * unit:.{digits}g}")
        if struct.pack("<f", candidate / unit) == struct.pack("<f", number):
            return candidate
    return number * unit

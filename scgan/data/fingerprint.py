"""The hash by which data is told from other data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def fingerprint(drawn: object, arrays: Iterable[np.ndarray | None]) -> str:
    """sha256 of arrays and of how they were drawn.

    Args:
        drawn: Plain values: the kind of data, its version, names, seed.
        arrays: In an order of their own; None where there is no such array.

    Returns:
        64 hexadecimal digits; equal if and only if values, types, shapes and ``drawn`` are.
    """
    digest = hashlib.sha256(repr(drawn).encode())
    for array in arrays:
        if array is None:
            digest.update(b"none")
        else:
            digest.update(repr((array.dtype.str, array.shape)).encode())
            data = np.ascontiguousarray(np.ma.getdata(array))
            digest.update(data.reshape(-1).view(np.uint8).data)
            if isinstance(array, np.ma.MaskedArray):
                digest.update(np.ma.getmaskarray(array).tobytes())
    return digest.hexdigest()

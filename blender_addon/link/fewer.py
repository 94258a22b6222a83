# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer of a head model's statistical expressions: their first ones say most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .package import Package, Sparse

__all__ = ["STATISTICAL", "with_fewer"]

STATISTICAL = "FLAME exp "
"""Beginning of the names of numbered expressions."""


def with_fewer(package: Package, most: int) -> Package:
    """The package with at most so many numbered expressions, the first of them; all others stay."""
    numbered = [name for name in package.expressions if name.startswith(STATISTICAL)]
    dropped = set(numbered[most:])
    if not dropped:
        return package
    kept = [i for i, name in enumerate(package.expressions) if name not in dropped]
    rows = [package.expression.row(i) for i in kept]
    start = np.cumsum([0, *(len(vertex) for vertex, _ in rows)])
    return replace(
        package,
        expressions=[package.expressions[i] for i in kept],
        expression=Sparse(start, np.concatenate([v for v, _ in rows]), np.concatenate([d for _, d in rows])),
        expression_limits={n: limits for n, limits in package.expression_limits.items() if n not in dropped},
    )

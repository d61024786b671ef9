"""The bound for a column without variation: the rule of three in its exact form."""

from __future__ import annotations


def unseen_share(cells: int, alpha: float) -> float:
    """Return the largest share of deviating cells that is consistent with no deviation in `cells` independent cells.

    Clopper and Pearson's upper bound at 1 - alpha for 0 of `cells`: the p with (1 - p)^cells = alpha, that is
    p = 1 - alpha^(1 / cells); close to 3 / cells at alpha = 0.05 (the rule of three).
    """
    return 1.0 - float(alpha ** (1.0 / cells)) if cells > 0 else 1.0


def unseen_bounds(estimate: float, cells: int, alpha: float, value_range: tuple[float, float]) -> tuple[float, float]:
    """Return one-sided bounds on a mean whose cells all show `estimate`, for values within `value_range`.

    In the worst case the unseen share p (see `unseen_share`) is at the end of the range:
    low = estimate - p (estimate - value_range[0]), high = estimate + p (value_range[1] - estimate).
    It assumes that cells are independent, which a column without variation can neither confirm nor refute.
    """
    share = unseen_share(cells, alpha)
    return estimate - share * (estimate - value_range[0]), estimate + share * (value_range[1] - estimate)

"""Agreement between coders, and of the tagger with coders, computed by krippendorff and statsmodels."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.numbers import finite
from rootfruit_checks.judges.themes.codebook import theme_ids
from rootfruit_checks.judges.themes.tagged import Tagged

INSTALL = 'pip install "rootfruit-checks[coding]"'


def agreement(tagged: Tagged) -> dict[str, Any]:
    """Return who coded how much, and by theme their agreement.

    `alpha` is Krippendorff's (2004) for nominal data over all items that two coders or more read; `kappa` Cohen's
    (1960), the mean over pairs of coders; `tagger_kappa` Cohen's between the tags and what most coders said, ties left
    out. Null where it is not defined: too few items, or everyone says the same throughout.

    Raises:
        ConfigError: the libraries are not installed.

    """
    try:
        import krippendorff
        from statsmodels.stats.inter_rater import cohens_kappa
    except ImportError as error:
        raise ConfigError(f"agreement of coders needs {error.name}, which is not installed: {INSTALL}") from error
    items = list(tagged.codes)
    coders = sorted({coder for held in tagged.codes.values() for coder in held})
    place = {item: at for at, item in enumerate(tagged.rows["item"])}

    def kappa(first: Any, second: Any) -> float | None:
        both = ~np.isnan(first) & ~np.isnan(second)
        pairs = np.stack([first[both], second[both]]).astype(int)
        counts = np.zeros((2, 2))
        np.add.at(counts, (pairs[0], pairs[1]), 1)
        # If both always give the same single code, kappa is not defined.
        if not both.any() or counts.max() == counts.sum():
            return None
        return finite(float(cohens_kappa(counts, return_results=False)))

    lines = []
    for at, theme in enumerate(theme_ids()):
        said = np.array(
            [
                [float(theme in tagged.codes[item][coder]) if coder in tagged.codes[item] else np.nan for item in items]
                for coder in coders
            ]
        ).reshape(len(coders), len(items))
        shared = said[:, (~np.isnan(said)).sum(axis=0) >= 2]
        alpha = None
        if shared.size and len(np.unique(shared[~np.isnan(shared)])) > 1:
            alpha = finite(float(krippendorff.alpha(reliability_data=shared, level_of_measurement="nominal")))
        found = [value for a, b in combinations(said, 2) if (value := kappa(a, b)) is not None]
        share = np.nanmean(said, axis=0) if said.size else np.zeros(0)
        people = np.where(share == 0.5, np.nan, (share > 0.5).astype(float))
        tags = np.array([float(tagged.tags[place[item], at]) for item in items])
        lines.append(
            {
                "theme": theme,
                "alpha": alpha,
                "kappa": float(np.mean(found)) if found else None,
                "tagger_kappa": kappa(people, tags),
                "items": int((~np.isnan(said)).any(axis=0).sum()),
            }
        )
    counted = {coder: sum(coder in held for held in tagged.codes.values()) for coder in coders}
    return {"coders": counted, "items": len(items), "themes": lines}

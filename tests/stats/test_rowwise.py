"""Row-wise description against statsmodels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.proportion import proportion_confint

from rootfruit_checks.stats.row_wise import mcnemar, wilson


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.01, 0.05, 0.2]))
def test_wilson_is_statsmodels(rows, share, alpha):
    count = round(share * rows)
    assert wilson(count, rows, alpha) == pytest.approx(
        proportion_confint(count, rows, 2 * alpha, method="wilson"), abs=1e-12
    )


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_statsmodels(toward, away):
    theirs = float(their_mcnemar([[0, toward], [away, 0]], exact=True).pvalue) if toward + away else 1.0
    assert mcnemar(toward, away) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(("count", "rows"), [(0, 0), (3, 2), (-1, 5), (float("nan"), 5)])
def test_no_share_is_named(count, rows):
    with pytest.raises(ValueError, match="is not a share"):
        wilson(count, rows, 0.05)

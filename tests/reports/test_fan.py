"""Fan charts: the curves are those of the scores."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from framecast.reports.fan import fan_chart
from framecast.reports.style import Look
from framecast.verification.quantities import AREA_MEANS


@pytest.mark.parametrize("weighted", [False, True])
def test_curves_are_weighted_like_the_scores(weighted: bool) -> None:
    random = torch.Generator().manual_seed(0)
    truth, past = (torch.randn(2, count, 4, 5, generator=random) for count in (3, 2))
    members = torch.randn(6, 2, 3, 4, 5, generator=random)
    case = SimpleNamespace(past=past, truth=truth, forecasts={"m": members}, valid=torch.ones_like(truth, dtype=bool))
    cases = SimpleNamespace(
        models=["m"], cadence=3600.0, past_times=(-3600.0, 0.0), lead_times=(3600.0, 7200.0, 10800.0), units=("K", "K")
    )
    areas = torch.tensor([0.1, 0.5, 1.4, 2.0])[:, None].expand(4, 5) if weighted else torch.ones(4, 5)
    figure = fan_chart(
        case,
        cases,
        {"m": Look("m", "#000000", "-", "o")},
        AREA_MEANS[0],
        channel=1,
        weights=areas if weighted else None,
    )
    observed = next(line for line in figure.axes[0].lines if line.get_label() == "Observed")
    both = torch.cat([past[1, -1:], truth[1]])
    np.testing.assert_allclose(observed.get_ydata(), (both * areas).mean((-2, -1)), rtol=1e-5)

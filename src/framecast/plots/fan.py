"""The flux of one case: what was seen, what came, and the intervals in which it was expected."""

import torch
from matplotlib.figure import Figure

from framecast.evaluation import Case, Cases
from framecast.flux import flux
from framecast.plots.style import INK, LOOKS, chart, hours, label, legend
from framecast.scores import central_interval


def fan_chart(case: Case, cases: Cases, *, channel: int = 0) -> Figure:
    """Return the flux of one channel: past, truth, members, and their central 50 and 90 % intervals."""
    figure, axes = chart()
    look = LOOKS["model"]
    past = flux(case.past)[channel]
    truth = flux(torch.where(case.valid, case.truth, torch.nan))[channel]
    members = flux(case.forecasts[cases.models[0]], case.valid)[:, channel]
    middle = members.nanquantile(0.5, dim=0)
    power = _power_of_ten(torch.cat([past, truth, members.flatten()]))
    scale = 10.0**power

    seen = [seconds / 3600 for seconds in cases.past_times]
    lead = [0.0, *(seconds / 3600 for seconds in cases.lead_times)]

    def joined(values: torch.Tensor) -> torch.Tensor:
        """Begin at the last frame seen."""
        return torch.cat([past[-1:], values]) / scale

    axes.axvline(0, color=INK, linewidth=0.8)
    if len(members) > 1:
        for member in members[:50]:
            axes.plot(lead, joined(member), color=look.colour, alpha=0.22, linewidth=0.7)
        for level, alpha in ((0.9, 0.18), (0.5, 0.3)):
            low, high = central_interval(members, level)
            axes.fill_between(
                lead,
                joined(low),
                joined(high),
                color=look.colour,
                alpha=alpha,
                linewidth=0,
                label=f"{100 * level:.0f} % of the forecast",
            )
    axes.plot(lead, joined(middle), color=look.colour, linewidth=1.8, label="Median forecast")
    axes.plot(seen, past / scale, color=INK, linewidth=1.8)
    axes.plot(lead, joined(truth), color=INK, linewidth=1.8, marker="o", markersize=4, label="Observed")
    axes.set_xlim(seen[0], lead[-1])
    axes.text(0, 1.01, "issued ", transform=axes.get_xaxis_transform(), ha="center", fontsize=8, color=INK)
    hours(axes)
    unit = cases.unit
    times = f"10$^{{{power}}}$ " if power else ""
    label(axes, "Hours from the last frame seen", f"Flux ({times}{unit})" if unit or times else "Flux")
    legend(figure, axes)
    return figure


def _power_of_ten(values: torch.Tensor) -> int:
    """Return the power of ten to take off the axis, so that its numbers stay short."""
    largest = values[torch.isfinite(values)].abs().amax().item() if torch.isfinite(values).any() else 1.0
    power = 0
    while largest >= 1000 * 10.0**power:
        power += 1
    return power

"""Fan chart of one case, the total of each frame: past, observations, and forecast intervals."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from framecast.reports.style import INK, Look, chart, label, legend, round_ticks
from framecast.reports.wording import Clock, ten_to, with_unit
from framecast.verification.evaluation import Case, Cases
from framecast.verification.quantities import Quantity, measure
from framecast.verification.scores import central_interval
from framecast.verification.summary import quantity_info

_LINES = 50


def fan_chart(
    case: Case,
    cases: Cases,
    drawn: dict[str, Look],
    quantity: Quantity,
    *,
    channel: int = 0,
    weights: Tensor | None = None,
) -> Figure:
    """Return a quantity of each frame of one channel of a judged sample, with the models' forecasts.

    The ``weights`` of the pixels, ``[height, width]``, are those of the scores.
    """

    def curve(video: Tensor, valid: Tensor) -> Tensor:
        return measure(quantity, video, valid, cases.cadence, weights)[..., channel, :]

    return fan(
        past=curve(case.past, ~torch.isnan(case.past)),
        truth=curve(torch.where(case.valid, case.truth, torch.nan), case.valid),
        ensembles=[(drawn[name], curve(case.forecasts[name], case.valid)) for name in cases.models],
        past_times=cases.past_times,
        lead_times=cases.lead_times,
        name=quantity.label,
        unit=quantity_info(quantity, cases.units[channel]).unit,
    )


def fan(
    *,
    past: Tensor,
    truth: Tensor | None,
    ensembles: Sequence[tuple[Look, Tensor]],
    past_times: Sequence[float],
    lead_times: Sequence[float],
    name: str,
    unit: str,
) -> Figure:
    """Return curves of the past and the truth, and the central 50 and 90 % intervals of ensembles.

    Args:
        past: ``[past time]``.
        truth: ``[lead time]``, or ``None`` if not known yet.
        ensembles: the look and the members ``[member, lead time]`` of each. A single one is drawn with its members
            and its 50 % interval too.
        past_times: seconds from the issue time, the last of them 0.
        lead_times: seconds.
        name: of the quantity, which is in ``unit``.
        unit: of the quantity.
    """
    figure, axes = chart()
    known = [past, *(members.flatten() for _, members in ensembles)] + ([] if truth is None else [truth])
    power = _power_of_ten(torch.cat(known))
    clock = Clock.of(max(lead_times))
    seen = [clock.number(seconds) for seconds in past_times]
    lead = [0.0, *(clock.number(seconds) for seconds in lead_times)]

    def joined(values: Tensor) -> Tensor:
        """Prepend the last past frame."""
        return torch.cat([past[-1:], values]) / 10.0**power

    axes.axvline(0, color=INK, linewidth=0.8)
    for look, members in ensembles:
        _draw_ensemble(axes, lead, look, members, joined, alone=len(ensembles) == 1)
    observed: dict[str, Any] = {"color": INK, "linewidth": 1.8}
    axes.plot(seen, past / 10.0**power, **observed, label="Observed" if truth is None else None)
    if truth is not None:
        axes.plot(lead, joined(truth), **observed, marker="o", markersize=4, label="Observed")
    axes.xaxis.set_major_locator(round_ticks())
    margin = 0.02 * (lead[-1] - seen[0])  # for the marker of the last frame
    axes.set_xlim(seen[0] if seen[0] < 0 else None, lead[-1] + margin)
    axes.text(0, 1.01, "issued ", transform=axes.get_xaxis_transform(), ha="center", fontsize=8, color=INK)
    times = f"{ten_to(power)} " if power else ""
    label(axes, f"{clock.name.capitalize()} from the last frame seen", with_unit(name, f"{times}{unit}".strip()))
    legend(figure, axes)
    return figure


def _draw_ensemble(
    axes: Axes, lead: list[float], look: Look, members: Tensor, joined: Callable[[Tensor], Tensor], *, alone: bool
) -> None:
    """Draw intervals and median of one ensemble, and the members themselves where it is the only one."""
    if alone and len(members) > 1:
        for member in members[:_LINES]:
            axes.plot(lead, joined(member), color=look.colour, alpha=0.22, linewidth=0.7)
    levels = ((0.9, 0.18), (0.5, 0.3)) if alone else ((0.9, 0.16),)
    for level, alpha in levels if len(members) > 1 else ():
        low, high = (joined(end) for end in central_interval(members, level))
        text = f"{100 * level:.0f} % of the forecast" if alone else None
        axes.fill_between(lead, low, high, color=look.colour, alpha=alpha, linewidth=0, label=text)
    middle = members.nanquantile(0.5, dim=0)
    text = "Median forecast" if alone and len(members) > 1 else look.label
    axes.plot(lead, joined(middle), color=look.colour, linewidth=1.8, label=text)


def _power_of_ten(values: Tensor) -> int:
    """Return the power of ten to take off the axis, so that its numbers stay short."""
    largest = float(values.nan_to_num(0.0, 0.0, 0.0).abs().amax())
    return max(0, math.floor(math.log10(largest)) - 2) if largest else 0

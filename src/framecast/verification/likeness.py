"""What single images of a forecast look like beside the truth: sums for PSNR, SSIM and MS-SSIM."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from framecast.verification.scores import ms_ssim, ssim

if TYPE_CHECKING:
    from framecast.verification.cases import Case, Cases

Array = np.ndarray

_MEMBERS = 3
"""Members whose SSIM is taken. Members are alike: more of them cost time and tell nothing new."""


@dataclass(kw_only=True)
class Likeness:
    """Errors of single members, and likeness of images; ``[sample, channel, time]``.

    Attributes:
        data_range: range of values that matters in each channel.
        absolute: sum over the judged pixels of the absolute error of a member, averaged over members.
        squared: the same of the squared error.
        ssim: of the ensemble mean.
        ms_ssim: of the ensemble mean.
        member_ssim: of a member, averaged over the first three.
        member_ms_ssim: likewise.
    """

    data_range: Array
    absolute: Array
    squared: Array
    ssim: Array
    ms_ssim: Array
    member_ssim: Array
    member_ms_ssim: Array

    @classmethod
    def empty(cls, cases: "Cases") -> "Likeness":
        """Return the sums of no sample yet."""
        shape = (len(cases), len(cases.channels), len(cases.lead_times))
        return cls(
            data_range=cases.data_range,
            absolute=np.zeros(shape),
            squared=np.zeros(shape),
            **{name: np.full(shape, np.nan) for name in ("ssim", "ms_ssim", "member_ssim", "member_ms_ssim")},
        )

    def record(self, case: "Case", forecast: Tensor, mean: Tensor) -> None:
        """Add the members and the mean of one sample."""
        k, truth = case.index, torch.where(case.valid, case.truth, torch.nan)
        error = torch.where(case.valid, forecast - truth, torch.nan)
        self.absolute[k] = torch.where(case.valid, error.abs().nanmean(0), 0.0).sum((-2, -1), dtype=torch.float64)
        self.squared[k] = torch.where(case.valid, error.square().nanmean(0), 0.0).sum((-2, -1), dtype=torch.float64)
        images = torch.cat([mean[None], forecast[:_MEMBERS]])
        for channel, data_range in enumerate(self.data_range.tolist()):
            ours = images[:, channel]
            theirs = truth[channel].expand_as(ours)
            for name, score in (("ssim", ssim), ("ms_ssim", ms_ssim)):
                values = score(ours, theirs, data_range=data_range)
                getattr(self, name)[k, channel] = values[0]
                getattr(self, f"member_{name}")[k, channel] = values[1:].nanmean(0)

"""The network as an estimator of the clean video, and what it is trained to minimise.

Here the parts meet: the network, which knows nothing of diffusion, the schedule, and what the network predicts.
"""

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor, nn

from framecast.prediction import Prediction
from framecast.schedule import Schedule, broadcast
from framecast.times import FastDDPM, Grid, check_trained


class Denoiser(nn.Module):
    """Network, schedule and prediction: ``(x_t, t, past) -> x0``, and the loss.

    Args:
        network: ``(x, time, past, label) -> F``; x and F ``[batch, channel, time, height, width]``, time ``[batch]``
            float32 (`Schedule.network_time`), label ``[batch]`` int64 or ``None``.
        schedule: how noise is added.
        prediction: what F is.
        grid: the Fast-DDPM grid the network is trained on, or ``None`` for every time of the schedule.

    Raises:
        ConfigError: the prediction is not defined everywhere on the schedule.
    """

    def __init__(
        self, network: nn.Module, schedule: Schedule, prediction: Prediction | str, grid: Grid | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.schedule = schedule
        self.prediction = Prediction(prediction)
        self.grid = grid
        self.prediction.check(schedule)
        if isinstance(grid, FastDDPM):
            grid.times(schedule)

    def forward(
        self,
        x_t: Float[Tensor, "batch channel time height width"],
        t: Float64[Tensor, " batch"],
        past: Float[Tensor, "batch past_channel past_time height width"],
        label: Int64[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Return the estimate of the clean video.

        Args:
            x_t: noisy future.
            t: its diffusion times in (0, 1].
            past: what is seen.
            label: class of every element.
        """
        return self.prediction.x0(self.schedule(t), x_t, self._predict(x_t, t, past, label).to(x_t.dtype))

    def loss(
        self,
        x0: Float[Tensor, "batch channel time height width"],
        past: Float[Tensor, "batch past_channel past_time height width"],
        label: Int64[Tensor, " batch"] | None = None,
        *,
        t: Float64[Tensor, " batch"],
        noise: Float[Tensor, "batch channel time height width"],
        mask: Bool[Tensor, "#batch #channel #time #height #width"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """Return the mean squared error of the prediction, one value per batch element.

        Args:
            x0: the true future; any finite value, or NaN, where ``mask`` is false.
            past: what is seen.
            label: class of every element.
            t: diffusion times; see `draw_times`.
            noise: standard normal deviates.
            mask: the pixels that count; all if ``None``. An element without any has loss 0.
        """
        if mask is not None:
            x0 = torch.where(mask, x0, 0.0)
        scale = self.schedule(t)
        x_t = broadcast(scale.alpha, x0) * x0 + broadcast(scale.sigma, x0) * noise
        error = self._predict(x_t, t, past, label).to(x0.dtype) - self.prediction.target(scale, x0, noise)
        if mask is None:
            return error.square().flatten(1).mean(dim=1)
        counted = mask.expand_as(error)
        total = torch.where(counted, error, 0.0).square().flatten(1).sum(dim=1)
        return total / counted.flatten(1).sum(dim=1).clamp(min=1)

    def draw_times(self, batch: int, generator: torch.Generator) -> Float64[Tensor, " batch"]:
        """Return diffusion times for one training batch, on the CPU.

        Every row of a table is equally likely, the first and the last included; on a Fast-DDPM grid every listed row,
        in antithetic pairs; on a continuous schedule the times are uniform.
        """
        if isinstance(self.grid, FastDDPM):
            times = self.grid.times(self.schedule)
            index = torch.randint(len(times), (-(-batch // 2),), generator=generator)
            return times[torch.stack([index, len(times) - 1 - index], dim=1).flatten()[:batch]]
        if self.schedule.rows is None:
            return 1 - torch.rand(batch, dtype=torch.float64, generator=generator)
        return (torch.randint(self.schedule.rows, (batch,), generator=generator) + 1) / self.schedule.rows

    def check_times(self, times: Float64[Tensor, " n"]) -> None:
        """Raise if sampling at ``times`` would ask for what was never trained.

        Raises:
            ConfigError: the network was trained on a Fast-DDPM grid and a row is not on it.
        """
        check_trained(times, self.schedule, self.grid)

    def _predict(self, x_t: Tensor, t: Tensor, past: Tensor, label: Tensor | None) -> Tensor:
        time = self.schedule.network_time(t).to(device=x_t.device, dtype=torch.float32)
        return self.network(x_t, time, past, label)

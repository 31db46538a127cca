"""Where the released models fail: worst cases, drift in brightness, missed flares, and data outside their domain.

    python benchmarks/failures.py sun-171 sun.zarr sun-forecast.zarr corona-forecast.zarr --data DIR --out docs/pictures

The forecasts are those of validation windows (docs/models.md has the commands); DIR holds the observations of other
instruments. Pictures go to ``--out``, and what docs/failures.md says in numbers is printed.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import sunpy.visualization.colormaps  # noqa: F401  (registers sdoaia171)
import torch
import xarray as xr
from astropy.io import fits
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator
from PIL import Image

from framecast.data.archive.reader import Archive
from framecast.data.forecasts import open_forecast
from framecast.models.checkpoint import load
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw
from framecast.reports.colours import SIGNED
from framecast.verification.evaluation import evaluate
from framecast.verification.scores import crps

SIZE, MEMBERS, BLOCKS = 64, 20, 4
SCALED = ("ensemble mean", "truth − mean")
"""Panels with a colour bar: the first applies to those before it."""
CURVES = {
    "oracle": {"color": "#009E73", "linewidth": 0.7, "alpha": 0.7, "linestyle": "--"},
    "forecast": {"color": "#0072B2", "linewidth": 0.7, "alpha": 0.8},
    "truth": {"color": "black", "linewidth": 2},
}
LABELS = {"oracle": "perfect forecast (oracle)", "forecast": "members", "truth": "truth"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("archive", type=Path)
    parser.add_argument("forecast", type=Path, help="of the Sun")
    parser.add_argument("corona", type=Path, help="forecast of the synthetic corona")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    forecaster = load(options.model)
    worst_cases(options.forecast, options.out / "failures-worst.png")
    drift(forecaster, Archive.open(options.archive), options.forecast, options.out / "failures-drift.png")
    missed_flares(options.corona, options.out / "failures-flares.png")
    elsewhere(forecaster, options.data, options.out / "failures-elsewhere.png")


def worst_cases(path: Path, target: Path) -> None:
    """Draw the three samples with the least skill against persistence."""
    evaluation, forecast = evaluate(path, replicates=100), open_forecast(path)
    rows = []
    for index in evaluation.ranked()[::-1][:3]:
        sample = forecast.isel(sample=index)
        issued = str(sample["issue_time"].values)[:16]
        print(f"worst: {sample['sequence'].item()} at {issued}, {evaluation.samples[index]}")
        rows.append((f"{sample['sequence'].item()}\n{issued}", views(sample)))
    draw(rows, target)


def views(sample: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the pictures of a sample at the last lead time."""
    truth, members = sample["truth"][-1, 0].values, sample["forecast"][:, -1, 0].values
    return {
        "last past frame": sample["past"][-1, 0].values,
        "truth, 12 h later": truth,
        "member 1": members[0],
        "ensemble mean": members.mean(axis=0),
        "truth − mean": truth - members.mean(axis=0),
    }


def drift(forecaster: Forecaster, archive: Archive, path: Path, target: Path) -> None:
    """Draw how the flux of the members compares with the truth's by lead time, and with its start in long rollouts."""
    forecast = open_forecast(path)
    members = forecast["forecast"].sum(("y", "x")).values[..., 0]
    truth = forecast["truth"].sum(("y", "x")).values[..., 0]
    bias = members.mean(axis=1) / truth - 1
    print("flux of the members over the truth's, by lead time, %:", np.round(100 * bias.mean(axis=0), 2).tolist())
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    hours = np.arange(1, bias.shape[1] + 1) * forecaster.frames.cadence / 3600
    left.plot(hours, 100 * bias.T, color="#8a90a0", linewidth=0.4, alpha=0.5)
    left.plot(hours, 100 * bias.mean(axis=0), color="#0072B2", marker="o")
    left.set(xlabel="Lead time (h)", ylabel="Flux of members − truth (%)", title=f"{len(bias)} windows; blue: mean")
    frames, step = forecaster.frames, round(forecaster.frames.cadence / archive.cadence)
    curves = []
    for name in archive.sequences[:: max(1, len(archive) // 12)]:
        indices = range(0, frames.past * step, step)
        if len(archive.times(name)) > indices[-1] and not archive.quality(name)[list(indices)].any():
            past = torch.from_numpy(archive.read(name, indices))
            blocks = forecaster.rollout(past, blocks=BLOCKS, members=8)
            flux = torch.cat([torch.from_numpy(block.sum(("y", "x")).values) for block in blocks], dim=1)[..., 0]
            curves.append((flux / past[0, -1].sum() - 1).numpy())
    change = 100 * np.array(curves)
    hours = np.arange(1, change.shape[2] + 1) * frames.cadence / 3600
    print(f"rollouts of {len(curves)} regions, mean change of the flux at {hours[-1]:g} h, %:", change[..., -1].mean())
    print("standard deviation over members there, %:", change[..., -1].std(axis=1).mean())
    right.plot(hours, change.mean(axis=1).T, color="#8a90a0", linewidth=0.8)
    right.plot(hours, change.mean(axis=(0, 1)), color="#0072B2", marker="o", markersize=3)
    right.set(xlabel="Lead time (h)", ylabel="Change of flux (%)", title=f"{len(curves)} rollouts; blue: mean")
    save(figure, target)


def missed_flares(path: Path, target: Path) -> None:
    """Draw the fluxes of the three windows whose peak comes closest to leaving all members below."""
    forecast = open_forecast(path)
    flux = {name: forecast[name].sum(("y", "x")).values[..., 0] for name in ("truth", "forecast", "oracle")}
    peak = {name: values.max(axis=-1) for name, values in flux.items()}
    missed = {name: peak["truth"] > peak[name].max(axis=1) for name in ("forecast", "oracle")}
    rise = peak["truth"] / forecast["past"].sum(("y", "x")).values[:, -1, -1]
    for least in (1, 2, 4):
        strong = rise > least
        shares = {name: f"{values[strong].mean():.0%}" for name, values in missed.items()}
        print(f"peaks above {least} times the last flux: {strong.sum()} windows; above every member: {shares}")
    excess = np.where(rise > 1, peak["truth"] / peak["forecast"].max(axis=1), 0)
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
    hours = forecast["lead_time"].values.astype("timedelta64[m]").astype(float) / 60
    for axis, index in zip(axes, np.argsort(-excess)[:3], strict=True):
        for name, look in CURVES.items():
            lines = axis.semilogy(hours, flux[name][index].T, **look)
            lines[0].set_label(LABELS[name])
        axis.set(xlabel="Lead time (h)", title=str(forecast["sequence"].values[index]))
    axes[0].set_ylabel("94 Å flux (DN/s)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    save(figure, target)


def elsewhere(forecaster: Forecaster, data: Path, target: Path) -> None:
    """Draw forecasts of what the model was never meant for, taken as they are for 171 Å in DN/s every two hours."""
    rows = []
    for name, video in domains(data):
        past, future = torch.from_numpy(video[None, :6]), torch.from_numpy(video[None, 6:])
        drawn = forecaster.draw(past, Draw(members=range(MEMBERS), options=forecaster.sampling, seed=0))[
            :, :, : future.shape[1]
        ]
        score, still = crps(drawn, future).mean().item(), (future - past[:, -1:]).abs().mean().item()
        flux = (drawn.sum(dim=(-1, -2)).mean() / future.sum(dim=(-1, -2)).mean()).item()
        print(
            f"{name}: CRPS {score:.3g}, persistence {still:.3g}, ratio {score / still:.2f}, "
            f"flux {flux:.2f} of the truth's"
        )
        pictures = {
            "last past frame": past[0, -1],
            "truth": future[0, -1],
            "member 1": drawn[0, 0, -1],
            "ensemble mean": drawn.mean(0)[0, -1],
        }
        pictures["truth − mean"] = pictures["truth"] - pictures["ensemble mean"]
        rows.append((f"{name}\n({score / still:.2f} × persistence)", {key: x.numpy() for key, x in pictures.items()}))
    draw(rows, target)


def domains(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and videos ``[time, y, x]`` of 6 frames seen and up to 6 to come."""
    with xr.open_dataset(data / "aia171-193-tracks-2012-07-19" / "tracks_15min.nc") as tracks:
        for wavelength in (171, 193):
            shown = tracks["intensity"].sel(channel=wavelength).isel(track=12).values[::8, ::-1].astype(np.float32)
            pixels = ((shown + 9.8) / 4.73) ** 2 / 2  # the display's scale undone; DN in 2 s
            yield f"AIA {wavelength} Å, 2012", pixels.reshape(-1, SIZE, 2, SIZE, 2).mean(axis=(2, 4))
    files = sorted((data / "eit-2004-03-01").glob("*.fits"))
    images = [fits.getdata(path).astype(np.float32) for path in files if fits.getheader(path)["WAVELNTH"] == 195]
    yield "SOHO/EIT 195 Å, hourly", np.stack(images)[:, 32:96, 32:96] - 840  # its pedestal
    with xr.open_dataset(data / "knmi-radar-2021" / "radar_5min_2km.nc") as radar:
        yield "weather radar, 5 min", radar["reflectivity"].values[0, :12, 160:224, 140:204].astype(np.float32)


def draw(rows: list[tuple[str, dict[str, np.ndarray]]], target: Path) -> None:
    """Draw one row of pictures for each case, on one scale, and their difference on its own."""
    count = len(rows[0][1])
    figure, axes = plt.subplots(len(rows), count, figsize=(2 * count, 1.9 * len(rows)), layout="constrained")
    for number, (line, (name, pictures)) in enumerate(zip(axes, rows, strict=True)):
        top = float(np.nanpercentile(pictures["last past frame"].clip(0), 99.7))
        for axis, (title, picture) in zip(line, pictures.items(), strict=True):
            if "−" in title:
                shown = axis.imshow(picture, cmap=SIGNED, vmin=-top / 2, vmax=top / 2, origin="lower")
            else:
                norm = PowerNorm(0.5, vmin=0, vmax=top)
                shown = axis.imshow(picture.clip(0), cmap="sdoaia171", norm=norm, origin="lower")
            if title in SCALED:
                figure.colorbar(shown, ax=axis, label="DN/s", ticks=MaxNLocator(4))
            axis.set(xticks=[], yticks=[])
            if number == 0:
                axis.set_title(title, fontsize=9)
        line[0].set_ylabel(name, fontsize=8)
    save(figure, target)


def save(figure: plt.Figure, target: Path) -> None:
    """Write the figure in 256 colours, a third of the bytes without a visible difference."""
    figure.savefig(target, dpi=100)
    with Image.open(target) as picture:
        small = picture.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE)
    small.save(target, optimize=True)


if __name__ == "__main__":
    main()

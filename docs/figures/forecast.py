"""Draw the moving picture of the README: a forecast of the real Sun by the released model, beside what was observed.

    framecast solar prepare aia171-fulldisk-2017 sun.zarr --size 64 --wavelengths 171
    python docs/figures/forecast.py sun.zarr docs/pictures/sun-171-forecast.webp

The region is a typical one: of nine on a day that the model was not trained on, the one whose CRPS below persistence
is the median.
"""

import argparse
from pathlib import Path

import numpy as np

import framecast as fc
from framecast.data.windows import find_windows
from framecast.domains.solar.positions import positions
from framecast.reports.colours import colour_map
from framecast.reports.film import animate
from framecast.reports.panels import Panels, frame_sides

ISSUED = np.datetime64("2017-08-13T12:00")


def crps(ensemble: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean CRPS of members ``[member, channel, time, y, x]``."""
    return fc.score(ensemble, truth, replicates=100)["crps"].item()


def main() -> None:
    """Choose the window, forecast it, write the animation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path, help="the animation, .webp, .gif or .mp4")
    arguments = parser.parse_args()
    archive, model = fc.open_archive(arguments.archive), fc.load("sun-171")
    frames = model.frames

    near = [w for w in find_windows(archive, frames) if abs(w.issue_time - ISSUED) < np.timedelta64(10, "m")]
    cases = []
    for window in near[:: len(near) // 8]:
        video = archive.read(window.sequence, indices=window.indices, channels=["171"])
        drawn = model.forecast(video[:, : frames.past], members=20, seed=0)
        ensemble = drawn.transpose("member", "channel", ...).values
        truth, last = video[:, frames.past :], video[:, frames.past - 1 : frames.past]
        skill = 1 - crps(ensemble, truth) / crps(np.broadcast_to(last, truth.shape)[None], truth)
        print(f"{window.sequence}: CRPS {skill:.1%} below persistence")
        cases.append((skill, window, video[0], ensemble[:, 0]))
    _, chosen, shown, members = sorted(cases, key=lambda case: case[0])[len(cases) // 2]
    times = [(k - frames.past + 1) * frames.cadence for k in range(frames.past + frames.future)]
    moments = [chosen.issue_time + np.timedelta64(round(seconds), "s") for seconds in times]
    sequence = archive.sequence(chosen.sequence)
    where = positions(sequence, np.array(moments))
    panels = Panels.of_ensemble(
        past=shown[: frames.past],
        members=members,
        truth=shown[frames.past :],
        times=times,
        colours=colour_map("171", archive.domain),
        unit=model.unit,
        title="SDO/AIA 171 Å",
        valid=[archive.calendar.moment(moment) for moment in moments],
        places=[f"x {x:+.0f}″, y {y:+.0f}″" for x, y in zip(where["hpc_x"], where["hpc_y"], strict=True)],
        sides=frame_sides(sequence.coords),
    )
    animate(panels, arguments.out)


if __name__ == "__main__":
    main()

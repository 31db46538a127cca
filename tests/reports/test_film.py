"""Films and strips: every panel in its place, whatever the frames are like."""

from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from framecast.reports.colours import SIGNED, is_signed
from framecast.reports.film import animate, encoded_frames, film_frames, strip, when
from framecast.reports.panels import Panels


def panels(
    *, size: tuple[int, int] = (20, 30), members: int = 4, past: int = 2, future: int = 3, known: bool = True
) -> Panels:
    random = np.random.default_rng(0)
    times = [300.0 * k for k in range(1 - past, future + 1)]
    return Panels.of_ensemble(
        past=random.normal(10, 1, (past, *size)).astype(np.float32),
        members=random.normal(10, 1, (members, future, *size)).astype(np.float32),
        truth=random.normal(10, 1, (future, *size)).astype(np.float32) if known else None,
        times=times,
        colours=matplotlib.colormaps["inferno"],
        unit="mm/h",
        title="a place with a name that is much too long for the line on which it has to stand, 2021-07-14 12:00",
    )


def test_an_ensemble_is_shown_with_its_mean_and_spread() -> None:
    names = [panel.name for panel in panels().panels]
    assert names == ["Observed", "Member 1", "Member 2", "Member 3", "Ensemble mean", "Ensemble spread"]
    assert [panel.name for panel in panels(members=1).panels] == ["Observed", "Forecast"]
    assert "Observed" not in [panel.name for panel in panels(known=False).panels]


def test_the_spread_is_that_of_the_members_and_none_in_the_past() -> None:
    shown = panels()
    video = shown.panels[-1].video
    assert (video[:2] == 0).all()
    members = np.random.default_rng(0)
    members.normal(10, 1, (2, 20, 30))
    ensemble = members.normal(10, 1, (4, 3, 20, 30)).astype(np.float32)
    assert video[2:] == pytest.approx(np.sqrt(ensemble.var(axis=0, ddof=1) * 5 / 4), rel=1e-4)
    assert "spread" in shown.describe().lower()


def test_frames_are_told_by_their_time() -> None:
    shown = panels()
    assert [when(shown, k) for k in range(5)] == [
        "seen −5 min",
        "last frame seen",
        "forecast +5 min",
        "forecast +10 min",
        "forecast +15 min",
    ]
    assert shown.issued == 1


@pytest.mark.parametrize("size", [(8, 60), (60, 8), (500, 500)])
def test_frames_of_any_shape_make_a_film_and_a_strip(size: tuple[int, int]) -> None:
    shown = panels(size=size, future=1)
    frames = film_frames(shown, clock=True)
    assert len({frame.size for frame in frames}) == 1
    assert all(np.asarray(frame.convert("L")).std() > 5 for frame in frames)
    assert max(frames[0].size) < 1700
    assert np.asarray(strip(shown).convert("L")).std() > 5


@pytest.mark.thorough
def test_a_film_is_one_file_with_every_frame(tmp_path: Path) -> None:
    animate(panels(), tmp_path / "film.webp")
    animate(panels(), tmp_path / "film.gif")
    for name in ("film.webp", "film.gif"):
        with Image.open(tmp_path / name) as film:
            assert film.n_frames == 5


@pytest.mark.thorough
def test_a_page_gets_films_within_its_budget() -> None:
    shown = panels(size=(64, 64), future=4)
    fine, coarse = (encoded_frames(shown, budget=budget) for budget in (10**9, 1))
    assert len(fine) == len(coarse) == 6
    assert sum(map(len, coarse)) < 0.3 * sum(map(len, fine))
    middle = (sum(map(len, coarse)) + sum(map(len, fine))) // 2
    assert sum(map(len, encoded_frames(shown, budget=middle))) <= middle


def test_frames_say_when_and_where_they_are_and_what_colours_mean(tmp_path: Path) -> None:
    plain = panels()
    told = replace(plain, valid=("12:00 UTC",) * 5, places=("x +1″",) * 5, sides=(300.0, 200.0, "arcsec"))
    bare, full = (np.asarray(film_frames(shown, clock=True)[3].convert("L")) for shown in (plain, told))
    assert full.shape[1] > bare.shape[1]  # room for the axis
    assert full[36:52].std() > bare[36:52].std()  # the line with time and place


@pytest.mark.thorough
def test_mp4_plays_anywhere(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="MP4 needs pip install 'framecast[films]'")
    animate(panels(size=(21, 31)), tmp_path / "film.mp4", tmp_path / "film.gif")
    with av.open(str(tmp_path / "film.mp4")) as film:
        video = film.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert video.width % 2 == video.height % 2 == 0
        assert float(video.duration * video.time_base) == pytest.approx(2 * 0.45 + 2 * 0.75 + 2.0, abs=0.2)
    assert (tmp_path / "film.gif").exists()


def test_signed_fields_have_0_in_the_middle_of_two_colours() -> None:
    random = np.random.default_rng(0)
    values = random.normal(0, 100, (4, 3, 16, 16)).astype(np.float32)
    shown = Panels.of_ensemble(
        past=values[0],
        members=values,
        truth=None,
        times=[-2.0, -1.0, 0.0, 1.0, 2.0, 3.0],
        colours=matplotlib.colormaps["inferno"],
        unit="G",
        title="",
    )
    light = shown.panels[0].brightness
    assert shown.panels[0].colours.name == SIGNED
    assert light(np.array([0.0])) == 0.5
    assert light(np.array([-50.0])) == pytest.approx(1 - light(np.array([50.0])))
    assert [light.value(float(light(np.array([v]))[0])) for v in (-150.0, 3.0, 80.0)] == pytest.approx([-150, 3, 80])
    assert is_signed(values, "m s-1")
    assert not is_signed(values, "degC")
    assert not is_signed(np.abs(values), "G")

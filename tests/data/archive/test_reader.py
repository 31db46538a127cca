import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.data.archive.format import MISSING
from framecast.data.archive.reader import Archive, ArchiveWriter

START = np.datetime64("2017-08-08T00:00", "ns")
ROOT = {
    "format": "framecast-archive",
    "version": 1,
    "channels": ["171"],
    "unit": "DN/s",
    "cadence": 3600.0,
    "height": 3,
    "width": 4,
}


def hours(count: int) -> np.ndarray:
    return START + np.arange(count) * np.timedelta64(1, "h")


def sequence(frames: int = 5, channels: int = 1, height: int = 3, width: int = 4, seed: int = 0) -> xr.Dataset:
    pixels = np.random.default_rng(seed).normal(size=(frames, channels, height, width)).astype(np.float32)
    return xr.Dataset({"intensity": (("time", "channel", "y", "x"), pixels)}, coords={"time": hours(frames)})


def writer(path: Path, **changes) -> ArchiveWriter:
    options = {"channels": ["171"], "unit": "DN/s", "cadence": 3600, "height": 3, "width": 4, **changes}
    return ArchiveWriter(path, **options)


def by_hand(path: Path, dataset: xr.Dataset | None, **root) -> Path:
    """Write an archive the way a stranger would: with xarray alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xr.Dataset(attrs=ROOT | root).to_zarr(path, mode="w", zarr_format=3, consolidated=False)
        if dataset is not None:
            dataset.to_zarr(path, group="here", mode="a", zarr_format=3, consolidated=False)
    return path


def one_line(error: pytest.ExceptionInfo, *words: str) -> None:
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text


class TestRoundTrip:
    @pytest.mark.thorough
    def test_pixels_times_quality_and_attributes_come_back(self, tmp_path):
        data = sequence(7, channels=2)
        data["intensity"][2, 0, 1, 1] = np.nan
        data["quality"] = ("time", np.array([0, 0, 4, 0, 0, 1 << 40, 0]))
        data["angle"] = ("time", np.linspace(0, 60, 7))
        data = data.assign_coords(
            channel=["193", "94"], x=("x", np.arange(4.0), {"units": "arcsec"}), harp=7115
        ).assign_attrs(noaa="12673")
        with writer(tmp_path / "a.zarr", channels=["193", "94"], attrs={"scale": np.float32(0.5), "n": 3}) as w:
            w.add("HARP_7115", data)
        archive = Archive.open(tmp_path / "a.zarr")
        assert archive.sequences == ("HARP_7115",)
        assert (archive.channels, archive.unit, archive.cadence) == (("193", "94"), "DN/s", 3600.0)
        assert (archive.height, archive.width) == (3, 4)
        assert archive.attrs == {"scale": 0.5, "n": 3}
        np.testing.assert_array_equal(archive.times("HARP_7115"), data.time.values)
        np.testing.assert_array_equal(archive.quality("HARP_7115"), data.quality.values)
        np.testing.assert_array_equal(archive.read("HARP_7115"), data.intensity.values.swapaxes(0, 1))
        back = archive.sequence("HARP_7115")
        xr.testing.assert_equal(back["angle"], data["angle"].assign_coords(harp=7115))
        assert back.attrs["noaa"] == "12673"
        assert back["x"].attrs["units"] == "arcsec"
        assert back["intensity"].attrs["units"] == "DN/s"
        assert int(back["harp"]) == 7115

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_frames_and_channels_in_any_order(self, tmp_path, data):
        path = tmp_path / "order.zarr"
        original = sequence(9, channels=3).intensity.values
        if not path.exists():
            with writer(path, channels=["a", "b", "c"]) as w:
                w.add("s", sequence(9, channels=3))
        frames = data.draw(st.lists(st.integers(0, 8), min_size=1, max_size=12))
        channels = data.draw(st.permutations(["a", "b", "c"]).flatmap(lambda p: st.integers(1, 3).map(lambda n: p[:n])))
        expected = original[frames][:, ["abc".index(name) for name in channels]].swapaxes(0, 1)
        read = Archive.open(path).read("s", frames, channels)
        assert read.dtype == np.float32 and read.flags.c_contiguous
        np.testing.assert_array_equal(read, expected)

    def test_times_keep_their_microseconds(self, tmp_path):
        data = sequence(2).assign_coords(time=[START, START + np.timedelta64(34_120_001, "us")])
        with writer(tmp_path / "a.zarr") as w:
            w.add("s", data)
        np.testing.assert_array_equal(Archive.open(tmp_path / "a.zarr").times("s"), data.time.values)

    def test_big_frames_are_stored_in_chunks_of_one_frame_gathered_in_shards(self, tmp_path):
        data = sequence(5, channels=2, height=256, width=300)
        with writer(tmp_path / "a.zarr", channels=["a", "b"], height=256, width=300) as w:
            w.add("s", data)
        array = zarr.open_array(tmp_path / "a.zarr" / "s" / "intensity", mode="r")
        assert array.chunks == (1, 1, 256, 300)
        assert sum(1 for f in (tmp_path / "a.zarr" / "s" / "intensity").rglob("*") if f.is_file()) == 2
        np.testing.assert_array_equal(
            Archive.open(tmp_path / "a.zarr").read("s", [3], ["b"])[0, 0], data.intensity.values[3, 1]
        )


class TestFrameByFrame:
    def test_the_result_is_that_of_adding_the_whole(self, tmp_path):
        whole, order = sequence(23, height=64, width=64), np.random.default_rng(1).permutation(23)
        with writer(tmp_path / "a.zarr", height=64, width=64) as w:
            w.create("s", hours(23), variables={"angle": ("time", np.arange(23.0))}, attrs={"noaa": 1})
            w.add("t", whole)
            for k in order:
                w.write("s", k, whole.intensity.values[k])
        archive = Archive.open(tmp_path / "a.zarr")
        np.testing.assert_array_equal(archive.read("s"), archive.read("t"))
        np.testing.assert_array_equal(archive.quality("s"), 0)
        np.testing.assert_array_equal(archive.sequence("s")["angle"], np.arange(23.0))

    def test_masked_pixels_are_unknown(self, tmp_path):
        with writer(tmp_path / "a.zarr") as w:
            w.create("s", hours(2))
            w.write("s", 0, np.ma.masked_less(np.arange(12.0).reshape(1, 3, 4), 5))
        np.testing.assert_array_equal(
            np.isnan(Archive.open(tmp_path / "a.zarr").read("s", [0])).ravel(), np.arange(12) < 5
        )

    @pytest.mark.parametrize(
        ("coords", "axis"),
        [
            ({"y": ("y", [52.0, 51, 50], {"units": "degrees_north"})}, "y"),
            ({"x": ("x", [2.0, 1, 0, 359], {"units": "degrees_east"})}, "x"),
            ({"lat": (("y", "x"), np.repeat([[52.0], [51], [50]], 4, 1), {"units": "degrees_north"})}, "y"),
            ({"x": ("x", [358.0, 359, 0, 1], {"units": "degrees_east"})}, None),
        ],
    )
    def test_rows_run_upward_and_columns_to_the_right(self, coords, axis, tmp_path):
        refused = pytest.raises(DataError, match=rf"s has coordinates that fall along {axis}: .*flip")
        with refused if axis else nullcontext(), writer(tmp_path / "a.zarr") as w:
            w.create("s", hours(2), coords=coords)

    def test_frames_in_another_unit_are_refused(self, tmp_path):
        data = sequence()
        for unit, words in (("kelvin", None), ("counts", None), ("degC", "in degC, and the archive in K")):
            data.intensity.attrs["units"] = unit
            refused = pytest.raises(DataError, match=words) if words else nullcontext()
            with refused, writer(tmp_path / f"{unit}.zarr", unit="K") as w:
                w.add("s", data)

    def test_frames_that_never_come_are_missing_and_masked(self, tmp_path):
        with writer(tmp_path / "a.zarr") as w:
            w.create("s", hours(4))
            w.write("s", 1, np.ones((1, 3, 4)))
            w.write("s", 3, np.ones((1, 3, 4)), quality=8)
        archive = Archive.open(tmp_path / "a.zarr")
        np.testing.assert_array_equal(archive.quality("s"), [MISSING, 0, MISSING, 8])
        assert np.isnan(archive.read("s", [0, 2])).all()
        np.testing.assert_array_equal(archive.unusable("s")[0][:, 0], [1, 0, 1, 0])

    @pytest.mark.thorough
    def test_a_full_buffer_loses_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setattr(
            "framecast.data.archive.writer._BUFFER_BYTES", 1_000_000
        )  # less than the three blocks that are open at once
        whole = sequence(33, height=64, width=64)
        names = [f"s{k}" for k in range(3)]
        with writer(tmp_path / "a.zarr", height=64, width=64) as w:
            for name in names:
                w.create(name, hours(33))
            for k in range(33):
                for name in names:
                    w.write(name, k, whole.intensity.values[k])
        archive = Archive.open(tmp_path / "a.zarr")
        for name in names:
            np.testing.assert_array_equal(archive.read(name)[0], whole.intensity.values[:, 0])

    def test_what_was_learnt_while_filling_can_be_added(self, tmp_path):
        with writer(tmp_path / "a.zarr") as w:
            w.create("s", hours(2))
            w.write("s", 0, np.ones((1, 3, 4)))
            w.annotate("s", xr.Dataset({"exposure": ("time", [2.0, 1.9])}, attrs={"instrument": "AIA"}))
            with pytest.raises(DataError, match="exposure already"):
                w.annotate("s", xr.Dataset({"exposure": ("time", [2.0, 1.9])}))
        back = Archive.open(tmp_path / "a.zarr").sequence("s")
        np.testing.assert_array_equal(back["exposure"], [2.0, 1.9])
        assert back.attrs["instrument"] == "AIA"

    def test_mistakes_are_told(self, tmp_path):
        with writer(tmp_path / "a.zarr") as w:
            w.create("s", hours(2))
            for call, words in (
                (lambda: w.write("t", 0, np.ones((1, 3, 4))), "has not been created"),
                (lambda: w.write("s", 2, np.ones((1, 3, 4))), "frames 0 to 1"),
                (lambda: w.write("s", 0, np.ones((1, 4, 3))), "shape [1, 4, 3]"),
                (lambda: w.create("s", hours(2)), "already been added"),
                (lambda: w.create("t", hours(2)[::-1]), "runs backwards"),
                (lambda: w.create("t", np.array(["0850-01-01", "0850-01-02"], "M8[s]")), "from 1678 to 2261"),
                (lambda: w.create("t", hours(2), coords={"x": np.arange(9)}), "9 x"),
            ):
                with pytest.raises(DataError) as error:
                    call()
                one_line(error, words)

    @pytest.mark.thorough
    @pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b", "a@b", "é", "x" * 101, "a\n"])
    def test_names_that_are_no_safe_paths_are_refused(self, tmp_path, name):
        with writer(tmp_path / "a.zarr") as w, pytest.raises(DataError, match="cannot name a sequence") as error:
            w.add("good.name-1+2_3", sequence())
            w.add(name, sequence())
        one_line(error)


class TestXarrayReadsIt:
    @pytest.fixture
    def path(self, tmp_path) -> Path:
        with writer(tmp_path / "a.zarr") as w:
            w.add("one", sequence(seed=1).assign_coords(station=("y", ["a", "bb", "ccc"])))
            w.create("two", hours(5))
            w.write("two", 0, np.ones((1, 3, 4)))
        return tmp_path / "a.zarr"

    @pytest.mark.thorough
    def test_one_sequence_without_any_warning(self, path):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            dataset = xr.open_zarr(path, group="one")
        assert dataset["intensity"].dims == ("time", "channel", "y", "x")
        assert dataset["channel"].values.tolist() == ["171"]
        assert dataset["station"].values.tolist() == ["a", "bb", "ccc"]
        np.testing.assert_array_equal(dataset.time.values, hours(5))
        np.testing.assert_array_equal(dataset["intensity"], sequence(seed=1)["intensity"])

    def test_the_whole_archive_as_a_tree(self, path):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = xr.open_datatree(path, engine="zarr")
        assert set(tree.children) == {"one", "two"}
        assert tree.attrs["format"] == "framecast-archive"
        assert tree.attrs["version"] == 1
        assert tree["two/quality"].values.tolist() == [0] + 4 * [MISSING]

    def test_writing_warns_of_nothing(self, tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with writer(tmp_path / "b.zarr") as w:
                w.add("one", sequence().assign_coords(station=("y", ["a", "bb", "ccc"])))

    def test_an_archive_written_with_xarray_alone_is_read(self, tmp_path):
        data = sequence().assign_coords(channel=np.array(["171"], dtype=object))
        archive = Archive.open(by_hand(tmp_path / "hand.zarr", data))
        np.testing.assert_array_equal(archive.read("here")[0], data.intensity.values[:, 0])
        np.testing.assert_array_equal(archive.times("here"), hours(5))
        np.testing.assert_array_equal(archive.quality("here"), 0)
        np.testing.assert_array_equal(archive.unusable("here")[0], np.zeros((5, 1)))

    @pytest.mark.parametrize("dtype", [np.float16, np.float64])
    def test_other_precisions_are_read_as_float32(self, tmp_path, dtype):
        data = sequence().astype(dtype)
        read = Archive.open(by_hand(tmp_path / "hand.zarr", data)).read("here")
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read[0], data.intensity.values[:, 0].astype(np.float32))

    def test_the_examples_of_the_documentation_run(self, tmp_path, monkeypatch):
        text = (Path(__file__).parents[3] / "docs" / "data-format.md").read_text()
        examples = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "mine.zarr" in block]
        assert len(examples) == 2
        for k, example in enumerate(examples):
            (tmp_path / str(k)).mkdir()
            monkeypatch.chdir(tmp_path / str(k))
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Consolidated metadata")
                exec(example, {})
            archive = Archive.open("mine.zarr")
            for name in archive.sequences:
                assert archive.read(name).shape == (1, 48, 64, 96)
            assert len(archive) == 2 - k


class TestWholeOrAbsent:
    def test_an_exception_leaves_nothing(self, tmp_path):
        with pytest.raises(KeyboardInterrupt), writer(tmp_path / "a.zarr") as w:
            w.add("s", sequence())
            raise KeyboardInterrupt
        assert list(tmp_path.iterdir()) == []

    def test_an_exception_leaves_the_archive_that_was_there(self, tmp_path):
        with writer(tmp_path / "a.zarr") as w:
            w.add("old", sequence())
        with pytest.raises(RuntimeError), writer(tmp_path / "a.zarr", overwrite=True) as w:
            w.add("new", sequence())
            raise RuntimeError
        assert Archive.open(tmp_path / "a.zarr").sequences == ("old",)
        assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]

    @pytest.mark.thorough
    def test_a_killed_process_leaves_nothing_under_the_name_and_is_cleared_by_the_next(self, tmp_path):
        program = f"""
            import os, signal
            import numpy as np
            from framecast.data.archive.reader import ArchiveWriter
            with ArchiveWriter({str(tmp_path / "a.zarr")!r}, channels=["171"], unit="DN/s", cadence=60, height=3,
                               width=4) as w:
                w.create("s", np.datetime64("2020", "ns") + np.arange(3) * np.timedelta64(60, "s"))
                w.write("s", 0, np.ones((1, 3, 4)))
                os.kill(os.getpid(), signal.SIGKILL)
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False, env=os.environ)
        assert done.returncode == -signal.SIGKILL
        assert not (tmp_path / "a.zarr").exists()
        with writer(tmp_path / "a.zarr") as w:
            w.add("t", sequence())
        assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
        assert Archive.open(tmp_path / "a.zarr").sequences == ("t",)

    def test_an_existing_archive_is_not_replaced_unasked(self, tmp_path):
        for _ in range(2):
            if (tmp_path / "a.zarr").exists():
                with pytest.raises(FramecastError, match="--overwrite"), writer(tmp_path / "a.zarr"):
                    pass
            else:
                with writer(tmp_path / "a.zarr") as w:
                    w.add("s", sequence())

    def test_an_archive_without_sequences_is_not_written(self, tmp_path):
        with pytest.raises(DataError, match="no sequence"), writer(tmp_path / "a.zarr"):
            pass
        assert list(tmp_path.iterdir()) == []


class TestRefusals:
    def test_a_newer_version_says_what_to_do(self, tmp_path):
        with pytest.raises(DataError) as error:
            Archive.open(by_hand(tmp_path / "a.zarr", sequence(), version=2))
        one_line(error, "version 2", "reads up to 1", "upgrade")

    @pytest.mark.parametrize("version", [0, "1", 1.5, None])
    def test_no_version(self, tmp_path, version):
        with pytest.raises(DataError) as error:
            Archive.open(by_hand(tmp_path / "a.zarr", sequence(), version=version))
        one_line(error, "version")

    def test_what_is_no_archive(self, tmp_path):
        (tmp_path / "empty").mkdir()
        (tmp_path / "file.zarr").write_text("hello")
        (tmp_path / "broken.zarr").mkdir()
        (tmp_path / "broken.zarr" / "zarr.json").write_text("{")
        forecast = by_hand(tmp_path / "f.zarr", None, format="framecast-forecast")
        for path, words in (
            (tmp_path / "absent.zarr", "does not exist"),
            (tmp_path / "empty", "not a framecast archive"),
            (tmp_path / "file.zarr", "not a framecast archive"),
            (tmp_path / "broken.zarr", "cannot be read as JSON"),
            (forecast, "framecast-forecast"),
        ):
            with pytest.raises(DataError) as error:
                Archive.open(path)
            one_line(error, words, str(path))

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"channels": "171"}, "list of strings"),
            ({"channels": []}, "at least one channel"),
            ({"cadence": "often"}, "often"),
            ({"cadence": -1.0}, "positive"),
            ({"height": 2.5}, "whole numbers"),
        ],
    )
    def test_root_attributes_of_the_wrong_kind(self, tmp_path, change, words):
        with pytest.raises(DataError) as error:
            Archive.open(by_hand(tmp_path / "a.zarr", sequence(), **change))
        one_line(error, words)

    def test_a_root_attribute_is_absent(self, tmp_path):
        path = by_hand(tmp_path / "a.zarr", sequence())
        del zarr.open_group(path, mode="r+").attrs["cadence"]
        with pytest.raises(DataError) as error:
            Archive.open(path)
        one_line(error, "lacks the root attributes cadence")

    def test_no_sequence(self, tmp_path):
        with pytest.raises(DataError, match="contains no sequence"):
            Archive.open(by_hand(tmp_path / "a.zarr", None))

    @pytest.mark.thorough
    @pytest.mark.parametrize(
        ("edit", "words"),
        [
            (lambda d: d.rename(intensity="brightness"), "no variable 'intensity'"),
            (lambda d: d.transpose("time", "y", "x", "channel"), "transpose"),
            (lambda d: d.astype(np.uint8), "uint8"),
            (lambda d: d.isel(x=slice(0, 3)), "[1, 3, 3]"),
            (lambda d: d.drop_vars("time"), "no coordinate 'time'"),
            (lambda d: d.assign_coords(time=np.arange(5)), "datetime64"),
            (lambda d: d.assign_coords(time=hours(5)[[0, 1, 1, 3, 4]]), "2017-08-08T01:00:00 twice"),
            (lambda d: d.assign_coords(time=hours(5)[[0, 2, 1, 3, 4]]), "backwards after frame 1"),
            (
                lambda d: d.assign_coords(time=np.where(np.arange(5) == 2, np.datetime64("NaT"), hours(5))),
                "NaT at frame 2",
            ),
            (lambda d: d.assign_coords(channel=np.array(["94"], dtype=object)), "['94']"),
            (lambda d: d.assign(quality=("time", np.zeros(5))), "whole number"),
        ],
    )
    def test_a_sequence_that_is_not_as_documented(self, tmp_path, edit, words):
        dataset = edit(sequence())
        with pytest.raises(DataError) as error:
            Archive.open(by_hand(tmp_path / "hand.zarr", dataset)).read("here")
        one_line(error, words, "here")
        with pytest.raises(DataError) as error, writer(tmp_path / "written.zarr") as w:
            w.add("here", dataset)
        one_line(error, words, "here")

    def test_packed_pixels(self, tmp_path):
        data = sequence()
        data["intensity"].encoding["_FillValue"] = np.float32(-9999.0)
        with pytest.raises(DataError) as error:
            Archive.open(by_hand(tmp_path / "fill.zarr", data)).read("here")
        one_line(error, "_FillValue -9999", "NaN")
        data["intensity"].encoding = {"scale_factor": 0.5}
        with pytest.raises(DataError) as error:
            Archive.open(by_hand(tmp_path / "scale.zarr", data)).read("here")
        one_line(error, "scale_factor")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            *(({"attributes": {"_FillValue": value}}, "_FillValue") for value in (5, "x", "", [1, 2], {}, True)),
            ({"dimension_names": [None] * 4}, "dimensions"),
            ({"dimension_names": None, "attributes": {"_ARRAY_DIMENSIONS": 5}}, "dimensions"),
        ],
    )
    def test_attributes_of_another_type(self, make_archive, change, words):
        path = make_archive().path
        for document in path.rglob("zarr.json"):
            plain = json.loads(document.read_text())
            plain.pop("consolidated_metadata", None)
            own = change if document.parent.name == "intensity" else {}
            document.write_text(json.dumps({k: v for k, v in (plain | own).items() if v is not None}))
        with pytest.raises(DataError) as error:
            Archive.open(path).read("region-00")
        one_line(error, words)

    def test_asking_for_what_is_not_there(self, make_archive):
        archive = make_archive()
        for call, words in (
            (lambda: archive.read("region-99"), "region-99"),
            (lambda: archive.read("region-00", [20]), "frames 0 to 19"),
            (lambda: archive.read("region-00", [-1]), "frames 0 to 19"),
            (lambda: archive.read("region-00", []), "frames 0 to 19"),
            (lambda: archive.read("region-00", [0], ["171"]), "it has 193, 94"),
            (lambda: archive.times("region-99"), "region-00, region-01"),
        ):
            with pytest.raises(DataError) as error:
                call()
            one_line(error, words)

    @pytest.mark.parametrize(
        "change", [{"channels": []}, {"channels": ["a", "a"]}, {"cadence": 0}, {"height": 0}, {"attrs": {"unit": "K"}}]
    )
    def test_an_impossible_description(self, tmp_path, change):
        with pytest.raises(ConfigError) as error:
            writer(tmp_path / "a.zarr", **change)
        one_line(error)

    def test_attributes_that_json_cannot_hold(self, tmp_path):
        with pytest.raises(DataError) as error:
            writer(tmp_path / "a.zarr", attrs={"what": object()})
        one_line(error, "attributes must be")


def test_unusable_pixels_are_counted_alike_when_written_and_when_read(tmp_path):
    data = sequence(70)
    data["intensity"][3, 0, :, 1] = np.nan
    data["intensity"][64, 0, 0, 0] = np.inf
    data["intensity"][65, 0, 0, :2] = -np.inf
    with writer(tmp_path / "a.zarr") as w:
        w.add("here", data)
    stored = Archive.open(tmp_path / "a.zarr").unusable("here")
    counted = Archive.open(by_hand(tmp_path / "b.zarr", data)).unusable("here")
    assert stored[0][3, 0] == pytest.approx(0.25)
    assert stored[1][[63, 64, 65], 0].tolist() == [0, 1, 2]
    for one, other in zip(stored, counted, strict=True):
        np.testing.assert_array_equal(one, other)

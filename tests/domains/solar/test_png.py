"""Folders of 8-bit pictures and their table of samples, read as they are."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framecast.cli import run
from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.reader import Archive
from framecast.domains.solar.png import SATURATION, find_pictures, import_pictures, parse_name, read_picture, unstretch

CHANNELS = (193, 211, 94)
TRUTH = np.linspace(0, 6000, 3 * 12 * 16).reshape(3, 12, 16)


def stretch(values: np.ndarray) -> np.ndarray:
    """As the paper makes its pictures: bytes ``[row, column, channel]``, row 0 in the south as in FITS."""
    saturation = np.array([SATURATION[channel] for channel in CHANNELS])[:, None, None]
    bytes_ = np.round(255 * np.log1p(values.clip(0, saturation)) / np.log1p(saturation))
    return bytes_.astype(np.uint8).transpose(1, 2, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two regions, 6 and 4 moments two hours apart, and files of no use."""
    source = tmp_path / "pictures"
    for region, count in (("377", 6), ("1234", 4)):
        (source / region).mkdir(parents=True)
        for k in range(count):
            picture = Image.fromarray(stretch(TRUTH + 10 * k))
            picture.save(source / region / f"{region}_20110214_{2 * k:02d}00_193x211x94.png")
    Image.new("L", (4, 4)).save(source / "377" / "overview.png")
    (source / "377" / "377_20110214_1200_193x211x94.png").write_text("damaged")
    (tmp_path / "samples.csv").write_text(
        "id,HARPNUM,T,nextC_t2f_h,nextM_t2f_h,nextX_t2f_h\n"
        "0,377,2011-02-14 02:00:00,1.5,,30\n1,377,2011-02-14 04:00:00,1.5,11,11.9\n2,1234,2011-02-14 00:00:00,,,\n"
    )
    return source


def test_pixels_come_back_in_physical_units_and_north_is_up(folder: Path, tmp_path: Path) -> None:
    made = import_pictures(folder, tmp_path / "a.zarr")
    assert (len(made.archive), made.frames, made.archive.cadence, made.ignored) == (2, 10, 7200.0, 1)
    assert [path.name for path, _ in made.rejected] == ["377_20110214_1200_193x211x94.png"]
    archive = Archive.open(tmp_path / "a.zarr")
    assert archive.sequences == ("1234", "377")
    assert archive.channels == ("193", "211", "94")
    assert archive.times("377")[1] == np.datetime64("2011-02-14T02:00")
    found = archive.read("377", [1])[:, 0]
    step = np.log1p([SATURATION[channel] for channel in CHANNELS]) / 255  # of the logarithm
    error = np.abs(np.log1p(found) - np.log1p(TRUTH + 10)).max(axis=(1, 2))
    assert (error <= 0.51 * step).all()
    assert (error > 0.3 * step).all()
    assert archive.attrs["saturation"] == {"193": 81139.0, "211": 8179.0, "94": 6099.0}
    assert archive.classes == ()


@pytest.mark.parametrize("channels", [(193,), CHANNELS])
def test_a_palette_is_looked_up(channels: tuple[int, ...], tmp_path: Path) -> None:
    """Programs that make pictures small keep numbers of colours in place of the colours."""
    bytes_ = np.zeros((8, 8, 3), np.uint8)
    bytes_[0], bytes_[1], bytes_[2] = 200, 17, (10, 20, 30) if len(channels) > 1 else 90
    plain = Image.fromarray(bytes_) if len(channels) > 1 else Image.fromarray(bytes_[..., 0])
    for name, picture in (("plain", plain), ("small", plain.convert("P", palette=Image.Palette.ADAPTIVE))):
        path = tmp_path / f"{name}_20110214_0000_{'x'.join(map(str, channels))}.png"
        picture.save(path)
    with Image.open(path) as small:
        assert small.mode == "P"
    found, _ = find_pictures(tmp_path)
    first, second = (read_picture(item, [SATURATION[channel] for channel in channels]) for item in found)
    assert first.shape == (len(channels), 8, 8)
    assert np.array_equal(first, second)


def test_the_ends_of_the_scale() -> None:
    values = unstretch(np.array([[[0, 255]], [[0, 255]]], np.uint8), [81139.0, 100.0])
    assert values[:, 0, 0].tolist() == [0, 0]
    assert values[:, 0, 1] == pytest.approx([81139.0, 100.0], rel=1e-5)


def test_the_command_reads_the_table_of_samples_too(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.zarr"
    assert run(["solar", "import-png", str(folder), str(out), "--samples", str(tmp_path / "samples.csv")]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == str(out)
    assert "2 with 10 frames together, every 2h" in said
    archive = Archive.open(out)
    assert archive.classes == ("quiet", "C", "M", "X")
    assert archive.labels("377").tolist() == [-1, 1, 3, -1, -1, -1]
    assert archive.labels("1234").tolist() == [0, -1, -1, -1]


def test_bad_dates_are_left_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("start,end\n2011-02-14T03:00,2011-02-14T05:00\n")
    made = import_pictures(folder, tmp_path / "a.zarr", exclude=tmp_path / "bad.csv")
    assert (made.excluded, made.frames) == (2, 8)


def test_other_wavelengths_need_their_saturation(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    for hour in (0, 1):
        Image.new("L", (4, 3), 255).save(tmp_path / "1" / f"1_20110214_0{hour}00_171.png")
    with pytest.raises(ConfigError, match="the saturation of 171 Å is not known"):
        import_pictures(tmp_path, tmp_path / "a.zarr")
    with pytest.raises(ConfigError, match=r"304 Å.*171 Å"):
        import_pictures(tmp_path, tmp_path / "a.zarr", saturation={171: 5000, 304: 100})
    assert run(["solar", "import-png", str(tmp_path), str(tmp_path / "a.zarr"), "--saturation", "171=5000"]) == 0
    archive = Archive.open(tmp_path / "a.zarr")
    assert (archive.height, archive.width, archive.cadence) == (3, 4, 3600.0)
    assert archive.read("1") == pytest.approx(5000.0, rel=1e-5)


def test_names() -> None:
    picture = parse_name(Path("x/377_20110214_0236_193x211x94.png"))
    assert picture is not None
    assert (picture.region, picture.channels, str(picture.time)[:16]) == ("377", CHANNELS, "2011-02-14T02:36")
    for name in ("377_20110214_193x211x94.png", "377_20111314_0236_193.png", "377_20110214_0236_193x211x94.jpg"):
        assert parse_name(Path(name)) is None


def test_folders_of_no_use(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        find_pictures(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"377_20110214_0000_193x211x94.png \(0 other"):
        find_pictures(tmp_path / "empty")
    Image.new("L", (4, 4)).save(folder / "377" / "377_20110214_0000_171.png")
    with pytest.raises(DataError, match=r"\(171, 193x211x94\)"):
        import_pictures(folder, tmp_path / "a.zarr")


def test_a_table_of_other_regions_writes_nothing(folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "samples.csv").write_text("HARPNUM,T,label\n9,2011-02-14,M\n")
    code = run(
        ["solar", "import-png", str(folder), str(tmp_path / "a.zarr"), "--samples", str(tmp_path / "samples.csv")]
    )
    assert code == 2
    assert "no sample matches a frame in" in capsys.readouterr().err
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.thorough
@pytest.mark.parametrize("pixels", [np.zeros((12, 16), np.uint16), np.zeros((12, 16, 2), np.uint8)])
def test_pictures_of_another_kind_are_left_out(folder: Path, tmp_path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(folder / "1234" / "1234_20110214_0800_193x211x94.png")
    made = import_pictures(folder, tmp_path / "a.zarr")
    assert "1234_20110214_0800_193x211x94.png" in [path.name for path, _ in made.rejected]


@pytest.mark.thorough
def test_damaged_and_enormous_pictures_are_left_out(folder: Path, tmp_path: Path) -> None:
    short, huge = (folder / "1234" / f"1234_20110214_{hour:02d}00_193x211x94.png" for hour in (8, 10))
    content = bytearray((folder / "1234" / "1234_20110214_0000_193x211x94.png").read_bytes())
    content[8:12] = (5).to_bytes(4)  # of the 13 bytes of the header
    short.write_bytes(content)
    Image.new("1", (9000, 9000)).save(huge)
    made = import_pictures(folder, tmp_path / "a.zarr")
    reasons = {path.name: reason for path, reason in made.rejected}
    assert "cannot be read as PNG" in reasons[short.name]
    assert "at most" in reasons[huge.name]


def test_which_way_up_pictures_are_is_said_or_taken_to_be_the_papers(folder: Path, tmp_path: Path) -> None:
    made = import_pictures(folder, tmp_path / "paper.zarr")
    assert (made.origin, "Francisco" in made.origin_from) == ("lower", True)
    lower = Archive.open(tmp_path / "paper.zarr").read("1234")
    made = import_pictures(folder, tmp_path / "upper.zarr", origin="upper")
    assert np.array_equal(Archive.open(tmp_path / "upper.zarr").read("1234"), lower[..., ::-1, :])
    (folder / "origin.txt").write_text("upper\n")
    made = import_pictures(folder, tmp_path / "said.zarr")
    assert (made.origin, made.origin_from) == ("upper", "origin.txt")
    assert np.array_equal(Archive.open(tmp_path / "said.zarr").read("1234"), lower[..., ::-1, :])
    (folder / "origin.txt").write_text("sideways")
    with pytest.raises(DataError, match="--origin lower or --origin upper"):
        import_pictures(folder, tmp_path / "none.zarr")


def test_a_text_within_a_picture_says_which_way_up_it_is(folder: Path, tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    path = next(iter(sorted((folder / "1234").glob("*.png"))))
    told = PngInfo()
    told.add_text("Origin", "upper")
    with Image.open(path) as picture:
        picture.save(path, pnginfo=told)
    made = import_pictures(folder, tmp_path / "a.zarr")
    assert (made.origin, made.origin_from) == ("upper", path.name)


def test_real_regions_written_as_the_paper_writes_them_come_back_the_right_way_up(
    real_data: Path, tmp_path: Path
) -> None:
    """Row 0 of the file is that of the observation: ``Image.fromarray(map.data)``."""
    from framecast.domains.solar.cut import cut
    from framecast.domains.solar.reader import read_image

    frames = []
    (tmp_path / "pictures" / "377").mkdir(parents=True)
    for hour in ("00", "02"):
        name = f"2017/08/08/H{hour}00/AIA20170808_{hour}00_0171.fits"
        image = read_image(real_data / "aia171-fulldisk-2017" / name)
        frames.append(cut(image.rate, image.header.pointing, [170.0], [250.0], pixel=4.8, height=64, width=64)[0])
        shades = np.round(255 * np.log1p(frames[-1].clip(0, 5000)) / np.log1p(5000)).astype(np.uint8)
        Image.fromarray(shades).save(tmp_path / "pictures" / "377" / f"377_20170808_{hour}00_171.png")
    import_pictures(tmp_path / "pictures", tmp_path / "a.zarr", saturation={171: 5000})
    found = np.log1p(Archive.open(tmp_path / "a.zarr").read("377")[0])
    known = np.log1p(np.stack(frames))
    assert np.corrcoef(found.ravel(), known.ravel())[0, 1] > 0.999
    assert np.corrcoef(found[:, ::-1].ravel(), known.ravel())[0, 1] < 0.9

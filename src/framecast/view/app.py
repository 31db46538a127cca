"""The addresses that the browser asks, relative to where the application is mounted; `docs/view.md` lists them."""

import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from threading import BoundedSemaphore
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import FastAPI, Header, Query, Request
from fastapi import Path as Place
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from framecast._version import __version__
from framecast.core.errors import FramecastError
from framecast.core.text import one_line
from framecast.reports.colours import Brightness, tile, tile_size
from framecast.verification.files import open_scores, to_plain
from framecast.verification.samples import Sample
from framecast.verification.scores import ensemble_mean
from framecast.view.answers import Box, quantities, series, window_scores
from framecast.view.jobs import BusyError, Jobs, Limits
from framecast.view.library import Library, UnknownError
from framecast.view.live import MOST_MEMBERS, MOST_STEPS, Live, Studio
from framecast.view.takeaway import Dress, Stretch, animation, file_name, netcdf
from framecast.view.videos import colour_tables, encode, show

PAGES = files("framecast.view") / "pages"

_LASTING = {"cache-control": "private, max-age=86400"}  # for answers whose address contains the version of the file

_THUMBNAIL = 112
_TAKING = 2  # animations and NetCDF files that are made at a time

Key = Annotated[str, Place(max_length=80)]
Number = Annotated[int, Place(ge=0, le=10**9)]
Channel = Annotated[int, Query(ge=0, le=10**4)]
Page = Annotated[str, Header(alias="x-page", min_length=8, max_length=64)]
"""Header that identifies the requesting page; other sites cannot send it without a preflight request."""

Area = Annotated[str | None, Query(alias="box", max_length=80)]


class Wanted(BaseModel):
    """A forecast requested by a page, see `framecast.view.live.Live.draw`."""

    sequence: str = Field(max_length=500)
    time: str = Field(max_length=40)
    members: int = Field(default=20, ge=1, le=MOST_MEMBERS)
    seed: int = Field(default=0, ge=0, lt=2**63)
    steps: int | None = Field(default=None, ge=1, le=MOST_STEPS)
    sampler: str | None = Field(default=None, max_length=100)
    label: str = Field(default="", max_length=100)
    upload: str = Field(default="", max_length=40)


class Judging(BaseModel):
    """An evaluation requested by a page."""

    files: list[str] = Field(min_length=1, max_length=20)
    thresholds: list[float] = Field(default=[], max_length=5)


def application(
    library: Library,
    *,
    studio: Studio = Studio(),
    report: Path | None = None,
    limits: Limits = Limits(),
) -> FastAPI:
    """Return the application that shows the files of ``library``, and the ``report`` of their evaluation."""
    jobs = Jobs(library.scratch, limits, said=lambda job, message: live.shown(job, message))
    live = Live(studio, library, jobs, library.scratch)
    room = BoundedSemaphore(_TAKING)
    judged = None if report is None else to_plain(open_scores(report / "scores.json"))

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        yield
        jobs.close()

    app = FastAPI(
        title="framecast view",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=running,
    )
    _errors(app)

    @app.get("/")
    def page() -> HTMLResponse:
        return HTMLResponse((PAGES / "index.html").read_text(encoding="utf-8"), headers={"cache-control": "no-cache"})

    @app.get("/api/library")
    def describe() -> dict[str, Any]:
        return described(library) | {"live": studio.model is not None}

    @app.get("/api/files/{key}/windows")
    def windows(key: Key) -> dict[str, Any]:
        return library.file(key).table

    @app.get("/api/files/{key}/positions")
    def positions(key: Key) -> dict[str, Any]:
        return library.file(key).positions()

    @app.get("/api/files/{key}/scores")
    def scores(key: Key, channel: Channel = 0) -> dict[str, Any]:
        return library.ranking(key).table(channel)

    @app.get("/api/files/{key}/windows/{number}/thumbnail.webp")
    def small(key: Key, number: Number, channel: Channel = 0) -> Response:
        sample = library.sample(key, number)
        colours = library.file(key).colours
        content = thumbnail(sample, _within(channel, sample), colours)
        return Response(content, media_type="image/webp", headers=_LASTING)

    @app.get("/api/files/{key}/windows/{number}/video")
    def video(
        key: Key,
        number: Number,
        what: Annotated[str, Query(max_length=60)],
        minus: Annotated[str, Query(max_length=20)] = "",
        channel: Channel = 0,
    ) -> Response:
        content = encode(show(library.sample(key, number), channel, what, minus))
        return Response(content, media_type="application/octet-stream", headers=_LASTING)

    @app.get("/api/files/{key}/windows/{number}/series")
    def ask_series(key: Key, number: Number, channel: Channel = 0, area: Area = None) -> dict[str, Any]:
        sample = library.sample(key, number)
        return series(sample, _within(channel, sample), _box(area, sample))

    @app.get("/api/files/{key}/windows/{number}/quantities")
    def ask_quantities(key: Key, number: Number, channel: Channel = 0, area: Area = None) -> list[dict[str, Any]]:
        sample = library.sample(key, number)
        return quantities(sample, _within(channel, sample), _box(area, sample))

    @app.get("/api/files/{key}/windows/{number}/scores")
    def ask_scores(key: Key, number: Number) -> dict[str, Any]:
        return window_scores(library.sample(key, number))

    @app.get("/api/files/{key}/windows/{number}/animation.{kind}")
    def animated(
        key: Key,
        number: Number,
        kind: Literal["mp4", "gif", "webp"],
        panels: Annotated[str, Query(max_length=2000)],
        channel: Channel = 0,
        colours: Annotated[str, Query(alias="map", max_length=40)] = "",
        stretch: Stretch = "",
        low: float | None = None,
        high: float | None = None,
        speed: Annotated[float, Query(gt=0, le=60)] = 6.0,
    ) -> Response:
        sample = library.sample(key, number)
        dress = Dress(colours=colours, stretch=stretch, low=low, high=high)
        _within(channel, sample)
        with room:
            content = animation(library, key, number, panels, channel=channel, dress=dress, speed=speed, kind=kind)
        return _download(content, file_name(sample, f".{kind}"), "video/mp4" if kind == "mp4" else f"image/{kind}")

    @app.get("/api/files/{key}/windows/{number}/ensemble.nc")
    def ensemble(key: Key, number: Number) -> Response:
        sample = library.sample(key, number)
        with room:
            content = netcdf(library.file(key), number)
        return _download(content, file_name(sample, ".nc"), "application/x-netcdf")

    @app.get("/api/library/{key}")
    def describe_one(key: Key) -> dict[str, Any]:
        file = library.file(key)
        return file.description | {"version": file.version}

    @app.get("/api/verification")
    def verification(job: str = "", page: Annotated[str, Header(alias="x-page", max_length=64)] = "") -> dict[str, Any]:
        if not job:
            return {"scores": judged}
        found = jobs.of(job, page)
        path = found.folder / "scores.json"
        done = found.state == "done" and path.is_file()
        return {"job": found.plain(), "scores": json.loads(path.read_text(encoding="utf-8")) if done else None}

    @app.post("/api/verification")
    def judge(wanted: Judging, page: Page) -> dict[str, Any]:
        named = [str(library.file(key).stored.resolve()) for key in wanted.files]
        return jobs.begin({"kind": "evaluate", "forecasts": named, "thresholds": wanted.thresholds}, page).plain()

    @app.get("/api/live")
    def offer() -> dict[str, Any]:
        return live.offer()

    @app.post("/api/uploads")
    async def upload(request: Request, page: Page, name: Annotated[str, Query(max_length=300)]) -> dict[str, Any]:
        return (await live.take(name, request.stream(), page)).plain()

    @app.post("/api/jobs")
    def draw(wanted: Wanted, page: Page) -> dict[str, Any]:
        return live.draw(wanted.model_dump(), page).plain()

    @app.get("/api/jobs/{key}")
    def state(key: Key, page: Page) -> dict[str, Any]:
        return jobs.of(key, page).plain()

    @app.delete("/api/jobs/{key}")
    def cancel(key: Key, page: Page) -> dict[str, Any]:
        job = jobs.of(key, page)
        jobs.cancel(job)
        return job.plain()

    @app.post("/api/jobs/{key}/keep")
    def keep(key: Key, page: Page) -> dict[str, Any]:
        return {"key": live.keep(jobs.of(key, page))}

    app.mount("/pages", StaticFiles(directory=str(PAGES)), name="pages")
    return app


def described(library: Library) -> dict[str, Any]:
    """Return metadata of the files for the browser, as JSON values."""
    opened = [library.file(file.key) for file in library.files]
    names = Counter(file.name for file in opened)  # forecasts of one model are distinguished by their files
    return {
        "version": __version__,
        "files": [
            file.description | {"version": file.version, "name": file.path.stem if names[file.name] > 1 else file.name}
            for file in opened
        ],
        "colours": colour_tables(colours for file in opened for colours in file.colours),
    }


def _errors(app: FastAPI) -> None:
    """Answer errors as JSON of one line."""

    @app.exception_handler(FramecastError)
    async def refuse(request: Request, error: FramecastError) -> JSONResponse:
        status = 404 if isinstance(error, UnknownError) else 429 if isinstance(error, BusyError) else 422
        return JSONResponse({"error": one_line(error)}, status_code=status)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return JSONResponse({"error": one_line(f"{place}: {first['msg']}", most=200)}, status_code=422)

    @app.exception_handler(MemoryError)
    async def no_room(request: Request, error: MemoryError) -> JSONResponse:
        return JSONResponse({"error": "out of memory: this window is too large for the machine"}, status_code=507)


def _within(channel: int, sample: Sample) -> int:
    if channel >= len(sample.channels):
        raise UnknownError(f"channel {channel} was requested; there are {len(sample.channels)}, counted from 0")
    return channel


def _box(text: str | None, sample: Sample) -> Box | None:
    height, width = sample.members.shape[-2:]
    return None if text is None else Box.parse(text, height, width)


def _download(content: bytes, name: str, kind: str) -> Response:
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})


def thumbnail(sample: Sample, channel: int, colours: Any) -> bytes:
    """Return two pictures side by side: the last frame seen, and the ensemble mean at the longest lead time."""
    from PIL import Image

    last = sample.past[channel, -1].numpy()
    mean = ensemble_mean(sample.members[:, channel, -1]).numpy()
    light = Brightness.of(np.stack([last, mean]))
    width, height = tile_size(last.shape, _THUMBNAIL)
    sheet = Image.new("RGB", (2 * width + 2, height), (128, 128, 128))
    for k, frame in enumerate((last, mean)):
        picture = tile(light(frame), np.isnan(frame), colours[channel], (width, height))
        sheet.paste(picture, (k * (width + 2), 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "webp", quality=80, method=2)
    return buffer.getvalue()

"""Jobs run in processes of their own, within limits, and end with whoever asked for them."""

import time

import psutil
import pytest

from framecast.view.jobs import BusyError, Jobs, Limits
from framecast.view.library import UnknownError

pytestmark = pytest.mark.thorough

OWNER, OTHER = "page-one", "page-two"


@pytest.fixture
def jobs(tmp_path):
    begun = []

    def begin(**limits):
        begun.append(Jobs(tmp_path, Limits(**limits)))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


def wait(job, until=("done", "failed", "cancelled"), seconds=60):
    end = time.monotonic() + seconds
    while job.state not in until:
        assert time.monotonic() < end, job
        job.seen = time.monotonic()
        time.sleep(0.02)
    return job


def test_what_fails_says_why_and_leaves_nothing(jobs):
    made = jobs()
    job = wait(made.begin({"kind": "evaluate", "forecasts": ["nothing.zarr"], "thresholds": []}, OWNER))
    assert job.state == "failed"
    assert "no forecast" in job.told
    assert not job.folder.exists()
    assert made.of(job.key, OWNER) is job
    with pytest.raises(UnknownError):
        made.of(job.key, OTHER)


def test_a_job_is_cancelled_with_its_process(jobs, forecasts):
    made = jobs()
    job = made.begin({"kind": "evaluate", "forecasts": [str(forecasts[0].resolve())], "thresholds": []}, OWNER)
    process = psutil.Process(job.process.pid)
    made.cancel(job)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert job.state == "cancelled"
    wait(job)
    end = time.monotonic() + 10
    while job.folder.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("limits", "words"),
    [({"patience": 0.2}, "page"), ({"seconds": 0.2}, "minutes"), ({"memory": 1}, "memory")],
)
def test_jobs_that_take_too_much_are_ended(jobs, forecasts, limits, words):
    job = jobs(**limits).begin(
        {"kind": "evaluate", "forecasts": [str(forecasts[0].resolve())], "thresholds": []}, OWNER
    )
    end = time.monotonic() + 30
    while not job.over:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert job.state == "cancelled"
    assert words in job.told


def test_jobs_wait_for_their_turn_and_are_bounded(jobs):
    made = jobs(running=1, waiting=2, each=2)
    request = {"kind": "nothing"}  # fails at once
    first, second = made.begin(request, OWNER), made.begin(request, OWNER)
    with pytest.raises(BusyError, match="of this page"):
        made.begin(request, OWNER)
    third = made.begin(request, OTHER)
    with pytest.raises(BusyError, match="waiting"):
        made.begin(request, "page-three")
    assert (first.state, second.state, third.state) == ("running", "waiting", "waiting")
    for job in (first, second, third):
        wait(job)

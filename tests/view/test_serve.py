"""Who is answered, and who is not."""

import pytest

from framecast.core.errors import ConfigError, FramecastError

pytest.importorskip("starlette", reason="framecast[view] is not installed")
from framecast.view.serve import COOKIE, Access

TOKEN = "s3cret-token"


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


@pytest.fixture(scope="module")
def open_server(serving):
    return serving(hello)


@pytest.fixture(scope="module")
def closed_server(serving):
    return serving(hello, Access.of("10.0.0.5", "https://example.org/view", TOKEN))


def test_answers_say_what_a_page_may_do(open_server):
    status, headers, body = open_server.ask("/x")
    assert (status, body) == (200, b"/x")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "evil.example"}, 403),  # a name that was made to point at loopback
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
        ({"Host": "localhost:1", "Origin": "http://localhost:2"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 200),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
    ],
)
def test_other_names_and_origins_are_refused(open_server, headers, status):
    assert open_server.ask("/", **headers)[0] == status


def test_other_sites_cannot_post(open_server):
    assert open_server.ask("/", "POST", b"", Origin="null")[0] == 403
    assert open_server.ask("/", "POST", b"", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 403
    assert open_server.ask("/", "POST", b"")[0] == 200


def test_the_token_is_asked_for_and_becomes_a_cookie(closed_server):
    assert closed_server.ask("/")[0] == 401
    assert closed_server.ask("/?token=wrong")[0] == 401
    assert closed_server.ask("/", Cookie=f"{COOKIE}=wrong")[0] == 401
    status, headers, _ = closed_server.ask(f"/view/?token={TOKEN}&v=1")
    assert (status, headers["location"]) == (303, "/view/?v=1")
    cookie = headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Secure", "Path=/view"} <= set(cookie.split("; "))
    assert closed_server.ask("/", Cookie=cookie.partition(";")[0])[0] == 200


def test_a_proxy_calls_it_by_its_public_name(closed_server):
    known = {"Cookie": f"{COOKIE}={TOKEN}", "Host": "example.org"}
    assert closed_server.ask("/", "POST", b"", Origin="https://example.org", **known)[0] == 200
    assert closed_server.ask("/", "POST", b"", Origin="https://example.com", **known)[0] == 403


def test_it_works_under_the_path_of_a_proxy(closed_server):
    known = {"Cookie": f"{COOKIE}={TOKEN}", "Host": "example.org"}
    assert closed_server.ask("/view/x/y", **known)[2] == b"/x/y"  # the proxy passes the path on
    assert closed_server.ask("/x/y", **known)[2] == b"/x/y"  # the proxy leaves it out
    assert closed_server.ask("/viewer", **known)[2] == b"/viewer"
    status, headers, _ = closed_server.ask("/view", **known)
    assert (status, headers["location"]) == (307, "/view/")


def test_only_loopback_needs_no_token():
    assert Access.of("127.0.0.1").token == ""
    tokens = {
        Access.of("0.0.0.0").token,
        Access.of("0.0.0.0").token,
        Access.of("127.0.0.1", "https://example.org/").token,
    }
    assert len(tokens) == 3
    assert min(map(len, tokens)) >= 32
    with pytest.raises(ConfigError, match="--public"):
        Access.of("127.0.0.1", "example.org")


def test_a_port_that_is_taken_is_told(open_server):
    from framecast.view.serve import serve

    with pytest.raises(FramecastError, match=f"127.0.0.1:{open_server.port}"):
        serve(hello, Access.of("127.0.0.1"), host="127.0.0.1", port=open_server.port, browser=False, say=print)

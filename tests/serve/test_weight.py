"""What the processes of the service don't carry, don't send, and don't do twice."""

import asyncio
import json
import platform
import subprocess
import sys
from textwrap import dedent

import pytest
from opentelemetry import trace

from lentigo import serve
from lentigo.errors import MissingExtraError
from lentigo.serve import create_app, load_settings
from lentigo.serve.protocol import _Whole

FRAMEWORK = {"fastapi", "starlette", "uvicorn", "uvloop", "httpx", "prometheus_client", "pydantic_settings", "rich"}


def test_a_worker_does_not_load_the_web_framework():
    told = "import json, sys, lentigo.serve.worker; print(json.dumps([m.partition('.')[0] for m in sys.modules]))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", told], check=True, capture_output=True).stdout)
    assert not FRAMEWORK & set(loaded)


def test_every_public_name_is_found_where_it_is_said_to_be():
    assert all(getattr(serve, name).__module__.startswith("lentigo.serve.") for name in serve.__all__)
    assert set(serve.__all__) <= set(dir(serve))
    with pytest.raises(AttributeError, match="nothing"):
        serve.nothing  # noqa: B018


def test_without_the_extra_the_next_step_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, "lentigo.serve.client", raising=False)
    with pytest.raises(MissingExtraError, match="serve"):
        serve.Client  # noqa: B018


def test_no_traces_leave_wherever_opentelemetry_is_set_up(monkeypatch):
    """FastAPI would record paths, queries and messages of errors for whatever provider the process has."""
    asked = []

    class Provider:
        def get_tracer(self, *names, **more):
            asked.append(names)
            return trace.NoOpTracer()

    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setattr(trace, "get_tracer_provider", Provider)
    app = create_app(load_settings())

    async def request():
        scope = {"type": "http", "method": "GET", "path": "/healthz", "query_string": b"", "headers": [], "state": {}}

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            pass

        await app({**scope, "http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)

    asyncio.run(request())
    assert asked == []


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the rule is the GNU C library's")
def test_one_large_block_does_not_make_a_process_larger_for_ever():
    """Its size taught the allocator to keep blocks of that size: 20 MB stayed after 10,000 damaged images."""
    told = """
        from pathlib import Path
        from lentigo.serve.memory import keep_memory_flat

        def used():
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) // 1000 for line in lines if line.startswith("VmRSS"))

        keep_memory_flat()
        before = used()
        for megabytes in (24, 20):
            large = bytes([1]) * (megabytes << 20)
            kept = [bytes(600) for _ in range(100)]
            assert used() > before + 15
            del large
        print(used() - before)
    """
    ran = subprocess.run([sys.executable, "-c", dedent(told)], check=True, capture_output=True, text=True)
    assert int(ran.stdout) < 8


class Transport:
    """Keeps what it is given to send."""

    def __init__(self):
        self.sent = []
        self.closed = False

    def write(self, data):
        self.sent.append(data)

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True


async def written(*, then):
    """What reaches the connection when a header and a body are written in one step."""
    transport = Transport()
    whole = _Whole(transport, asyncio.get_running_loop())
    whole.write(b"header ")
    whole.write(b"body")
    assert transport.sent == []
    await then(whole)
    assert whole.is_closing() == transport.closed
    return transport.sent


def test_a_header_and_its_body_are_sent_together():
    assert asyncio.run(written(then=lambda whole: asyncio.sleep(0))) == [b"header body"]


def test_closing_sends_what_is_held_and_no_more():
    async def close(whole):
        whole.close()
        whole.write(b"too late")
        await asyncio.sleep(0)

    assert asyncio.run(written(then=close)) == [b"header body"]

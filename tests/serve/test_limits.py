"""Limits: what is too much is refused early, and the service goes on."""

import io
import json
import re
import socket
import struct
import time
import zlib
from contextlib import ExitStack, closing

import httpx
import pytest
from PIL import Image


def connected(service) -> socket.socket:
    url = httpx.URL(service.url)
    return socket.create_connection((url.host, url.port), timeout=120)


def read_all(connection) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def split(answer: bytes) -> tuple[int, dict]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    return int(head.split()[1]), json.loads(body)


def head_of(length: int, *more: str) -> bytes:
    lines = ["POST /v1/classify HTTP/1.1", "Host: x", f"Content-Length: {length}", *more, "", ""]
    return "\r\n".join(lines).encode()


@pytest.fixture(autouse=True)
def it_goes_on(http, photo):
    yield
    assert http.post("/v1/classify", content=photo).status_code == 200


def test_500_megabytes_are_refused_by_their_length(service):
    with closing(connected(service)) as connection:
        started = time.monotonic()
        connection.sendall(head_of(500_000_000) + b"\xff\xd8\xff" + b"x" * 100_000)
        status, said = split(read_all(connection))
    assert status == 413
    assert "larger than the 4,000,000 bytes" in said["detail"]
    assert time.monotonic() - started < 10


def test_500_megabytes_without_a_length_are_refused_as_they_come(service):
    block = b"%x\r\n" % 100_000 + b"x" * 100_000 + b"\r\n"
    sent = 0
    with closing(connected(service)) as connection:
        connection.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 500_000_000:
                connection.sendall(block)
                sent += 100_000
        except OSError:
            pass
    assert sent < 40_000_000  # what was on its way when the service had enough


def test_who_asks_first_is_refused_before_sending(service):
    with closing(connected(service)) as connection:
        connection.sendall(head_of(500_000_000, "Expect: 100-continue"))
        status, _ = split(read_all(connection))
    assert status == 413


def bomb(width: int, height: int) -> bytes:
    """A PNG of one colour: a few kilobytes that claim to be very many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(b"\0" * 1_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def saved(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2100, 2100)).save(file, format=kind)
    return file.getvalue()


@pytest.mark.parametrize(
    "content", [bomb(60_000, 60_000), bomb(2**31 - 1, 1000), bomb(2001, 2000)], ids=["3.6G", "2T", "4M"]
)
def test_decompression_bombs_are_refused_by_their_header(http, content):
    started = time.monotonic()
    answer = http.post("/v1/classify", content=content)
    assert answer.status_code == 413
    assert "pixels" in answer.json()["detail"]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WebP", "GIF"])
def test_the_limit_of_pixels_holds_for_every_format(http, kind):
    content = saved(kind)
    answer = http.post("/v1/classify", content=content[:3_900_000])  # the header is enough
    assert answer.status_code == 413, answer.text


def test_a_bomb_beside_an_image_costs_only_itself(http, photo):
    answer = http.post("/v1/classify", files=[("i", ("bomb.png", bomb(60_000, 60_000))), ("i", ("a.jpg", photo))])
    first, second = answer.json()["results"]
    assert "pixels" in first["error"]
    assert second["error"] is None


def test_a_slow_body_is_ended(service, photo):
    with closing(connected(service)) as connection:
        connection.sendall(head_of(len(photo)) + photo[:100])
        status, said = split(read_all(connection))
    assert status == 408
    assert "within 1 seconds" in said["detail"]


def test_a_body_that_trickles_is_ended(service, photo):
    with closing(connected(service)) as connection:
        connection.sendall(head_of(len(photo)))
        connection.settimeout(0.1)
        answer = b""
        for i in range(60):
            try:
                connection.sendall(photo[i : i + 1])
                answer += connection.recv(65536)
                break
            except TimeoutError:
                continue
        connection.settimeout(20)
        assert b" 408 " in answer


@pytest.mark.parametrize("start", [b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_a_header_that_never_ends_is_ended(service, start):
    with closing(connected(service)) as connection:
        connection.sendall(start)
        status, _ = split(read_all(connection))
    assert status == 408


def test_a_huge_header_is_refused(service):
    with closing(connected(service)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Much: " + b"x" * 100_000)
        answer = read_all(connection)
    assert b" 431 " in answer.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "sent", [b"\0\1\2\3\r\n\r\n", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\0\x01"]
)
def test_what_is_not_http_gets_a_problem(service, sent):
    with closing(connected(service)) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert not answer or split(answer)[0] == 400


def test_a_half_closed_connection_still_gets_its_answer(service, photo):
    with closing(connected(service)) as connection:
        connection.sendall(head_of(len(photo)) + photo)
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert b" 200 " in answer.split(b"\r\n")[0]
    assert b'"results"' in answer


def test_a_connection_half_closed_within_its_body_is_an_error(service, photo):
    with closing(connected(service)) as connection:
        connection.sendall(head_of(len(photo)) + photo[:100])
        connection.shutdown(socket.SHUT_WR)
        status, said = split(read_all(connection))
    assert status == 400
    assert "before the body was complete" in said["detail"]


def test_clients_that_disconnect_leave_nothing_behind(service, http, photo):
    for _ in range(30):
        with closing(connected(service)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not closed
            connection.sendall(head_of(len(photo)) + photo)
    for name in ("lentigo_images_held", "lentigo_buffered_bytes"):
        service.until(lambda name=name: f"\n{name} 0.0" in http.get("/metrics").text)


def test_pipelined_requests_are_answered_in_order(service, photo):
    with closing(connected(service)) as connection:
        connection.sendall((head_of(len(photo)) + photo) * 2 + head_of(4, "Connection: close") + b"none")
        answer = read_all(connection)
    assert [part.split()[1] for part in answer.split(b"HTTP/1.1")[1:]] and answer.count(b"HTTP/1.1 200") == 2
    assert answer.count(b"HTTP/1.1 415") == 1


def test_more_connections_than_allowed_are_refused(strict):
    with ExitStack() as stack:
        several = [stack.enter_context(closing(connected(strict))) for _ in range(25)]
        status, said = split(read_all(several[-1]))
        assert status == 503
        assert "connections are open" in said["detail"]
    strict.until(lambda: httpx.get(f"{strict.url}/readyz").status_code == 200)


def test_who_reads_slowly_keeps_no_room(service, http, photo):
    with closing(connected(service)) as connection:
        connection.sendall((head_of(len(photo)) + photo) * 5)
        service.until(lambda: "\nlentigo_buffered_bytes 0.0" in http.get("/metrics").text)


OFFER = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA"
ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("pause", [0, 0.3])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_upgrade_that_is_offered_is_ignored_and_its_body_is_a_body(service, photo, pause, chunked):
    """Java's HttpClient offers HTTP/2 with each request; the body was lost, or taken for the next request."""
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(photo)}"
    head = f"POST /v1/classify HTTP/1.1\r\nHost: x\r\n{OFFER}\r\n{length}\r\n\r\n".encode()
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(photo), photo) if chunked else photo
    with closing(connected(service)) as connection:
        for part in (head, body[:500], body[500:] + head + body + ASK):
            connection.sendall(part)
            time.sleep(pause)
        answer = read_all(connection)
    assert answer.count(b"HTTP/1.1 200 OK") == answer.count(b"HTTP/1.1 ") == 3
    assert answer.count(b'"results"') == 2


def test_no_request_hides_in_the_body_of_an_offered_upgrade(service):
    hidden = ASK.replace(b"/healthz", b"/v1/models")
    with closing(connected(service)) as connection:
        connection.sendall(head_of(len(hidden), OFFER))
        time.sleep(0.3)
        connection.sendall(hidden + b"GET /v1/models HTTP/1.1\r\nHost: x\r\n" + OFFER.encode() + b"\r\n\r\n" + ASK)
        answer = read_all(connection)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"415", b"200", b"200"]


def test_trailers_are_no_headers(service, photo):
    """What a proxy has checked of the headers holds: here they would have said that the image is a form."""
    head = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailers = b"Content-Type: multipart/form-data; boundary=x\r\nX-Request-Id: trailer\r\n\r\n"
    with closing(connected(service)) as connection:
        connection.sendall(head + b"%x\r\n%s\r\n0\r\n" % (len(photo), photo) + trailers)
        answer = read_all(connection)
    assert b" 200 " in answer.split(b"\r\n")[0] and b"x-request-id: trailer" not in answer


@pytest.mark.parametrize("endless", [b"0\r\nX-Much: ", b"5;much="])
def test_trailers_and_extensions_that_never_end_are_refused(service, endless):
    with closing(connected(service)) as connection:
        head = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head)
        time.sleep(0.2)
        connection.sendall(endless + b"x" * 65_000)
        answer = read_all(connection)
    assert b" 431 " in answer.split(b"\r\n")[0]

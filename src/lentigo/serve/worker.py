"""A worker process: images in over a socket, answers out. It alone decodes, so that a bad image can end only itself.

Started by `lentigo.serve.pool` as `python -m lentigo.serve.worker DESCRIPTOR`; ends when the service closes the socket.
"""

import gc
import os
import signal
import socket
import sys
from collections.abc import Sequence

from lentigo.errors import LentigoError
from lentigo.serve.answering import Answering
from lentigo.serve.frames import receive_frame, send_frame
from lentigo.serve.logs import Log
from lentigo.serve.memory import keep_memory_flat

__all__ = ["main"]


def main(descriptor: int, log: Log) -> None:
    """Serve one socket until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the service says when to end
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection = socket.socket(fileno=descriptor)
    started = receive_frame(connection)
    if started is None:
        return
    try:
        answering = Answering(**started[0], log=log)
    except LentigoError as error:
        send_frame(connection, {"error": [error.message, error.hint]})
        return
    send_frame(connection, {"models": answering.models()})
    gc.freeze()  # what is loaded stays: looking through it again and again would take time from every image
    while asked := receive_frame(connection):
        header, content = asked
        answers = answering.answer(header, _split(content, header["sizes"]))
        heads = [{"status": a.status, "size": len(a.body), "decision": a.decision, "fault": a.fault} for a in answers]
        send_frame(connection, heads, [a.body for a in answers])


def _split(content: memoryview, sizes: Sequence[int]) -> list[bytes]:
    parts, place = [], 0
    for size in sizes:
        parts.append(bytes(content[place : place + size]))
        place += size
    return parts


def _main() -> None:
    """Run the process. What libraries in C write to standard error goes nowhere: that is our log."""
    keep_memory_flat()
    log = Log(stream=os.fdopen(os.dup(sys.stderr.fileno()), "w"))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stderr.fileno())
    try:
        main(int(sys.argv[1]), log)
    except ConnectionError:  # the service is gone
        pass
    except Exception as error:
        log.failure("a worker process failed", error)
        sys.exit(1)


if __name__ == "__main__":
    _main()

"""The environment of its own that converts to LiteRT: litert-torch caps torch, and needs gigabytes."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from platformdirs import user_data_path

from lentigo.atomic import own_folder, write_text
from lentigo.errors import BundleError, OutputError, reason
from lentigo.progress import note

__all__ = ["find_environment", "setup_litert"]

PACKAGES = ("litert-torch==0.10.*", "onnx>=1.17")
_STAMP = "lentigo-litert.json"
_SETUP = "Run: lentigo export --setup-litert (several GB, a few minutes)."


def setup_litert(folder: str | os.PathLike[str] | None = None) -> Path:
    """Create the environment, or leave it as it is if it is whole; returns its folder.

    Args:
        folder: new, empty, or an environment that was begun here; without it `LENTIGO_LITERT`, or a folder of the
            user's.

    Raises:
        OutputError: a folder with other files, or the packages can't be installed.
    """
    target = _folder(folder)
    own_folder(target, (_STAMP, "pyvenv.cfg"))
    if not (target / _STAMP).is_file():
        note(f"Installing {', '.join(PACKAGES)} into {target}: several GB, a few minutes.")
        try:
            venv.create(target, with_pip=True, symlinks=os.name != "nt")
        except (OSError, subprocess.CalledProcessError) as error:
            raise OutputError(
                f"{target}: no environment can be created there ({reason(error)}).",
                "Install Python's venv module, or set LENTIGO_LITERT to another folder.",
            ) from None
        _pip(target)
        write_text(target / _STAMP, json.dumps({"packages": PACKAGES, "python": sys.version.split()[0]}) + "\n")
    return target


def find_environment(folder: str | os.PathLike[str] | None = None) -> Path:
    """The environment's Python.

    Raises:
        BundleError: it was not set up.
    """
    target = _folder(folder)
    if not (target / _STAMP).is_file() or not _python(target).exists():
        raise BundleError(f"Converting to LiteRT needs an environment of its own; none is at {target}.", _SETUP)
    return _python(target)


def _folder(folder: str | os.PathLike[str] | None) -> Path:
    return Path(folder or os.environ.get("LENTIGO_LITERT") or user_data_path("lentigo") / "litert").absolute()


def _python(target: Path) -> Path:
    return target / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _pip(target: Path) -> None:
    command = [str(_python(target)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OutputError(
            f"{target}: pip can't install {', '.join(PACKAGES)} ({last}).",
            "Check the connection, the disk and the Python version, then run it again.",
        )

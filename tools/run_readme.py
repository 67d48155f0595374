"""Run README's console blocks and Python programs as they are written, in their order, and say how long each took.

python tools/run_readme.py [--only WORD]... [--skip WORD]... [--keep FOLDER]

They run in a folder that holds what README speaks of: HAM10000/ (synthetic lesions, or LENTIGO_DATA), lesion.jpg,
clinic/, clinic.json, lentigo-s.onnx and mobilenetv2.safetensors (random weights); with the Python and `lentigo` that
run this file. A service is started before the line that asks it, and stopped afterwards. Installation is passed over,
and so is what `--skip` names, such as search.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from safetensors.torch import save_file
from torchvision.models import get_model

from lentigo.data.sources import synthetic
from lentigo.runtime import shipped_models

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.M | re.S)
LESIONS, GRADABLE = 60, "ISIC_9000074.jpg"
"""Of the synthetic lesions one that lentigo-s takes for a dermoscopic image, as README's picture shows."""
PATIENCE = 300
"""Seconds for a service to start."""
SHARES = {"akiec": 3, "bcc": 5, "bkl": 10, "df": 1, "mel": 2, "nv": 78, "vasc": 1}
PREFIX = "from lentigo import Classifier\nverdict = Classifier.load().classify('lesion.jpg')\n"
"""What a program that shows a verdict's attributes leaves out: the block before it has it."""


def steps(readme: str) -> Iterator[tuple[str, str]]:
    """The kind of each step, 'console' or 'python', and its text: a line, or a whole program."""
    for kind, block in BLOCK.findall(readme):
        if kind == "python":
            yield kind, block if "import" in block else PREFIX + block
        else:
            yield from ((kind, line.removeprefix("$ ")) for line in block.splitlines())


def make_workplace(folder: Path) -> None:
    """What README speaks of."""
    real = os.environ.get("LENTIGO_DATA")
    if real:
        (folder / "HAM10000").symlink_to(Path(real).absolute())
    else:
        synthetic.make(folder / "HAM10000", lesions=LESIONS, seed=0)
    pictures = sorted((folder / "HAM10000" / "images").glob("*.jpg"))
    shutil.copy(next((p for p in pictures if p.name == GRADABLE), pictures[0]), folder / "lesion.jpg")
    (folder / "clinic").mkdir()
    for picture in pictures[1:4]:
        shutil.copy(picture, folder / "clinic")
    (folder / "clinic.json").write_text(json.dumps(SHARES))
    shutil.copy(shipped_models()["lentigo-s"], folder)
    save_file(get_model("mobilenet_v2", weights=None).state_dict(), folder / "mobilenetv2.safetensors")


def await_service(port: int) -> None:
    """Until something listens at a port."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.5)
        else:
            return


def run(kind: str, text: str, folder: Path) -> int:
    """Exit code of one step; 'not gradable' is one of the answers of `classify`."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-c", text] if kind == "python" else ["bash", "-c", text]
    code = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    return 0 if code == 4 and text.startswith("lentigo classify") else code


def main() -> int:
    """Run all; the number of steps that failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", default=[], help="only steps that hold this; repeatable")
    parser.add_argument("--skip", action="append", default=[], help="no step that holds this; repeatable")
    parser.add_argument("--keep", type=Path, help="work in this folder, and leave it")
    chosen = parser.parse_args()
    folder = chosen.keep or Path(tempfile.mkdtemp())
    if not (folder / "clinic").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        make_workplace(folder)
    failed, service = 0, None
    for kind, text in steps((ROOT / "README.md").read_text(encoding="utf-8")):
        title = text if kind == "console" else f"python: {text.strip().splitlines()[-1]}"
        skipped = any(word in text for word in ("pip install", *chosen.skip))
        if skipped or (chosen.only and not any(word in text for word in chosen.only)):
            print(f"   --    -  {title}", flush=True)
            continue
        if text.startswith("lentigo serve"):
            service = subprocess.Popen(["bash", "-c", f"exec {Path(sys.executable).parent}/{text}"], cwd=folder)
            await_service(8080)
            continue
        start = time.perf_counter()
        code = run(kind, text, folder)
        failed += code != 0
        print(f"{time.perf_counter() - start:6.0f} s  {'ok' if code == 0 else f'EXIT {code}'}  {title}", flush=True)
    if service is not None:
        service.terminate()
        service.wait()
    if chosen.keep is None:
        shutil.rmtree(folder)
    return failed


if __name__ == "__main__":
    sys.exit(main())

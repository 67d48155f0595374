"""The lowest versions that pyproject.toml allows, as constraints for pip: `python tools/lowest.py data > lowest.txt`.

Takes the names of extras; without one the plain install. `make test-lowest` installs them and runs the tests.
"""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def main() -> None:
    """Print them."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    for name, version in sorted(lowest(project, ["", *sys.argv[1:]]).items()):
        print(f"{name}=={version}")


def lowest(project: dict, extras: list[str]) -> dict[str, str]:
    """Lower bound of each package that the extras need, those that they name in turn included."""
    found: dict[str, str] = {}
    for extra in extras:
        lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
        for requirement in map(Requirement, lines):
            if requirement.name == project["name"]:
                found |= lowest(project, list(requirement.extras))
            else:
                bounds = [s.version for s in requirement.specifier if s.operator in (">=", "==", "~=")]
                if len(bounds) != 1:
                    raise SystemExit(f"{requirement}: no lower bound. Give one, such as {requirement.name}>=1.0.")
                found[requirement.name] = bounds[0]
    return found


if __name__ == "__main__":
    main()

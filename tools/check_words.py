"""Look for former names and phrases that docs/vocabulary.md has replaced; exit code 1 where there are any.

python tools/check_words.py
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
VOCABULARY = ROOT / "docs" / "vocabulary.md"
PLACES = ("src", "tests", "benchmarks", "docs", "results", "tools", "README.md", "CONTRIBUTING.md", "Makefile")
KINDS = {".py", ".md", ".j2", ".json", ".toml", ".html", ".css", ".js", ".yml"}
READS_FORMER_NAMES = re.compile(r"format_1|legacy|old_names|docs/vocabulary\.md|tools/check_words\.py|/weights/")
MARK = re.compile(r"# old name|format[ -]1\b")


def former(text: str) -> list[re.Pattern[str]]:
    """A pattern for each entry of the columns 'not', as whole words; names as they are, phrases in any case."""
    names, phrases = (re.findall(r"^\| `([^`]+)` \|", part, re.M) for part in text.split("## Former ")[1:3])
    return [re.compile(rf"(?<![a-z]){re.escape(n)}(?![a-z])") for n in names] + [
        re.compile(rf"(?<!\w){re.escape(p)}(?!\w)", re.I) for p in phrases
    ]


def main() -> int:
    """Print each place; 1 if there is one."""
    patterns = former(VOCABULARY.read_text(encoding="utf-8"))
    any_of = re.compile("|".join(p.pattern for p in patterns), re.I)
    listed = subprocess.run(["git", "ls-files", *PLACES], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = 0
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix not in KINDS | {""} or READS_FORMER_NAMES.search(name) or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if len(line) > 5000 or not any_of.search(line) or MARK.search(line):
                continue
            for hit in (m for p in patterns for m in p.finditer(line)):
                print(f"{name}:{number}: {hit[0]!r} has another name now, see docs/vocabulary.md")
                found += 1
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Near-duplicates between data sets that are read as one, and what the search for them can't see.

python benchmarks/joined_sources.py MAIN FURTHER... --out results/joined_sources.md [--copies]

Two parts. The search: pairs of images of different data sets, by what accepted them. The control: images of MAIN,
changed as other data sets change theirs, under other ids, among the same images and others; how many does it find?
"""

import argparse
import hashlib
import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from common import machine
from lentigo import audit, data
from lentigo.atomic import write_text
from lentigo.audit.duplicates.fingerprints import THUMBNAIL
from lentigo.audit.duplicates.local_features import Features
from lentigo.audit.duplicates.search import NEIGHBOURS
from lentigo.data.joining import join
from lentigo.data.pixels import to_square
from lentigo.data.records import Records
from lentigo.render.markdown import table

KINDS = ("identical", "copy", "view")
CONTROLS = 60
"""Images of MAIN that are changed."""
AMONG = 200
"""Images of MAIN that they are searched among, themselves included."""


def resized(rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))


def zoomed(rgb: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """The middle of an image, with sides shorter by a factor."""
    height, width = (round(side / factor) for side in rgb.shape[:2])
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    return rgb[top : top + height, left : left + width]


def recoloured(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.clip(rgb * np.array([1.15, 1.0, 0.8]), 0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "whole frame squashed to 84 x 84": lambda rgb: resized(rgb, 84, 84),
    "whole frame squashed to 84 x 84, turned by a quarter, other colours": lambda rgb: recoloured(
        np.rot90(resized(rgb, 84, 84)).copy()
    ),
    "central square, 84 x 84": lambda rgb: to_square(rgb, 84),
    "central square, 144 x 144": lambda rgb: to_square(rgb, 144),
    "zoomed by 1.1, squashed to 84 x 84": lambda rgb: resized(zoomed(rgb, 1.1), 84, 84),
    "zoomed by 1.1, 4:3, 200 x 150": lambda rgb: resized(zoomed(rgb, 1.1), 200, 150),
    "zoomed by 1.4, squashed to 84 x 84": lambda rgb: resized(zoomed(rgb, 1.4), 84, 84),
    "zoomed by 1.4, 4:3, 200 x 150": lambda rgb: resized(zoomed(rgb, 1.4), 200, 150),
}


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def search(records: Records) -> list[audit.Duplicate]:
    return list(audit.find_duplicates(audit.take_fingerprints(records), across=True))


def search_copies(records: Records) -> list[audit.Duplicate]:
    """The same search without local features, which take most of its time."""

    def one(path: str) -> tuple[str, NDArray[np.uint8]]:
        luma = Image.fromarray(rgb := records.decode(path)).convert("L")
        checksum = hashlib.sha256(rgb.tobytes()).hexdigest()
        return checksum, np.asarray(luma.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR))

    taken = [one(path) for path in records.table["path"]]
    checksums = np.array([checksum for checksum, _ in taken], object)
    nothing = Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    prints = audit.Fingerprints(
        records.ids, checksums, np.stack([thumbnail for _, thumbnail in taken]), (nothing,) * len(records),
        sources=records.source_numbers,
    )  # fmt: skip
    return list(audit.find_duplicates(prints, across=True))


def found_between(records: Records, copies: bool) -> tuple[str, list[audit.Duplicate]]:
    """Numbers of pairs for each two data sets, as a table; and the pairs."""
    names = [source.name for source in records.sources]
    of = dict(zip(records.ids, records.source_numbers, strict=True))
    pairs = search_copies(records) if copies else search(records)
    counts = Counter((*sorted((of[d.first], of[d.second])), d.kind) for d in pairs)
    rows = [
        (
            f"{names[a]} and {names[b]}",
            *("not searched" if copies and kind == "view" else f"{counts[a, b, kind]:,}" for kind in KINDS),
        )
        for a in range(len(names))
        for b in range(a + 1, len(names))
    ]
    return table(("data sets", "identical files", "copies", "other views"), rows), pairs


def control(main: Records) -> str:
    """How many changed images are found, as a table."""
    among = main.take(main.ids[np.sort(np.random.default_rng(0).permutation(len(main))[:AMONG])])
    originals = among.take(among.ids[:CONTROLS])
    rows = []
    for name, change in CHANGES.items():
        pixels = [change(originals.decode(path)) for path in originals.table["path"]]
        disguised = originals.table.assign(
            image_id=[f"changed {i}" for i in originals.ids],
            lesion_id=[f"changed {i}" for i in originals.ids],
            path=[f"changed#{i}" for i in range(CONTROLS)],
        )
        other = replace(originals, table=disguised, pixels=pixels, root=Path("changed"), known_pairs=())
        pairs = search(join([among, other], ["main", "changed"]))
        right = {d.first: d.kind for d in pairs if d.first == f"changed {d.second}"}
        right |= {d.second: d.kind for d in pairs if d.second == f"changed {d.first}"}
        kinds = Counter(right.values())
        wrong = len(pairs) - sum(kinds.values())
        rows.append((name, f"{len(right)} of {CONTROLS}", *(str(kinds[kind]) for kind in ("copy", "view")), str(wrong)))
    return table(("changed to", "found", "as copies", "as other views", "pairs of different images"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", type=Path, nargs="+", help="Data sets, the main one first.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--copies", action="store_true", help="Don't search for other views between the data sets.")
    options = parser.parse_args()
    records = data.read(options.roots)
    between, pairs = found_between(records, options.copies)
    fold = data.split(records, pairs=[(d.first, d.second) for d in pairs])
    named = "\n".join(
        f"- {d.first}, {d.second}: {d.kind}, {d.score:.3g}"
        for d in sorted(pairs, key=lambda d: -d.score)
        if 0 in records.take([d.first, d.second]).source_numbers
    )
    skipped = records.problem_counts("dropped")
    shown = ["benchmarks/joined_sources.py", *(root.name for root in options.roots), "--out", str(options.out)]
    command = shlex.join(["python", *shown, *(["--copies"] if options.copies else [])])
    only = "Only what it finds as copies counts for the first table. " if options.copies else ""
    page = f"""# Several data sets as one: what they have in common

```
{command}
```

{records.name}: {len(records):,} images ({counted(records.table["data_set"].value_counts())}).
Left out: {counted(skipped) or "nothing"}. {machine()}.

## Near-duplicates under different ids

{between}

Pairs with an image of {records.sources[0].name}:

{named or "None."}

Fold 0 of 5, grouped, with these pairs: {str(fold).replace(chr(10), "; ")}.

## What the search would have found

{CONTROLS} images of {records.sources[0].name}, changed and given other ids, among {AMONG} of its images:

{control(records.main)}

What it doesn't find here, it would also have missed above: a table without pairs is no proof that there are none.
{only}Among more images than these, other views are harder to find: only the {NEIGHBOURS} nearest of an
image are compared.
"""
    write_text(options.out, page)
    print(page)


if __name__ == "__main__":
    main()

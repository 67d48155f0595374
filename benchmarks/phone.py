"""What a picture taken with a phone does to a bundle: accuracy, melanoma, and how many are rejected.

python benchmarks/phone.py MODEL PAD_UFES --out results/phone.md [--report FOLDER]

Writes the page, and its numbers as JSON beside it; and phone.json into FOLDER, that of an evaluation of the same
bundle, where `lentigo report FOLDER --bundle MODEL` finds it.
"""

import argparse
import shlex
from pathlib import Path

from common import machine
from lentigo.atomic import write_text
from lentigo.evaluation.phone import PhoneGroup, PhonePictures, phone_pictures
from lentigo.render.markdown import table


def page(found: PhonePictures, command: str) -> str:
    def row(name: str, group: PhoneGroup) -> tuple[object, ...]:
        return (name, group.images, group.rejected, group.correct, group.melanomas, group.melanoma_sensitivity)

    head = ("pictures", "images", "rejected", "first diagnosis correct", "melanomas", "at or above the threshold")
    target = (
        "no threshold"
        if found.target_sensitivity is None
        else f"chosen for a sensitivity of {found.target_sensitivity:.0%}"
    )
    left_out = ", ".join(f"{kind} ({n:,})" for kind, n in found.left_out.items()) or "nothing"
    return f"""# Phone pictures

```
{command}
```

{found.model} (sha256 {found.model_sha256[:12]}) learned from dermoscopic images. These are photographs taken with
phones, without a dermatoscope: it is not made for them, and should reject them. {found.all.images:,} pictures of
{found.data} in {found.patients:,} groups of patients; not counted: {left_out}.
Intervals are 95 %, over patients, {found.replicates:,} resamples. Everything but 'rejected' counts rejected pictures as
if they had been graded.

{table(head, [row("all", found.all), *(row(name, group) for name, group in found.tones.items())])}

The types are Fitzpatrick's, as the data set states them. The threshold is that of melanoma, {target} on
dermoscopic validation images.

| | |
|---|---|
| balanced accuracy over {", ".join(found.diagnoses)} | {found.balanced_accuracy} |
| the same of the pictures that are graded | {found.balanced_accuracy_graded} |
{chr(10).join(f"| recall of {name} | {value} |" for name, value in found.recall.items())}
| other lesions at or above the threshold of melanoma | {found.false_positives} |
| rejected, by reason | {", ".join(f"{reason} {n:,}" for reason, n in found.reasons.items()) or "none"} |

{machine()}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name or file of a bundle")
    parser.add_argument("root", type=Path, help="the data set")
    parser.add_argument("--out", type=Path, required=True, help="the page to write")
    parser.add_argument("--report", type=Path, help="folder of an evaluation of the same bundle")
    options = parser.parse_args()
    found = phone_pictures(options.model, options.root)
    named = [Path(options.model).name, options.root.name, "--out", options.out]
    command = shlex.join(["python", "benchmarks/phone.py", *map(str, named)])
    write_text(options.out, text := page(found, command))
    for place in (options.out.with_suffix(".json"), *([options.report / "phone.json"] if options.report else [])):
        write_text(place, found.to_json() + "\n")
    print(text)


if __name__ == "__main__":
    main()

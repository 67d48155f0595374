"""Train lentigo-n, -s and -m on one fold, from ImageNet to the runs that tools/make_model.py makes bundles of.

python tools/train_flagships.py --ham FOLDER --isic2019 FOLDER --imagenet mobilenetv2_100.safetensors \
    --out runs/flagships [--fold 0] [--stages pre e3 ...] [--precision float32]

--ham has HAM10000 at 256 pixels or more, --isic2019 its BCN and MSK images. Every stage is a call of `lentigo` that is
printed first, by the recipes in results/; called again, it resumes. Two processes can share the work: one
with --stages pre e3, the other with mpre m, then soft s in the one and n in the other. Starting weights don't depend on
the fold: they lie in --out, what is of a fold in --out/fold-N.

Stages:
  pre   MobileNetV2 cut to 10 blocks, on ISIC 2019     e3    the same on HAM10000: teacher, and parent of n and s
  mpre  the whole MobileNetV2, on ISIC 2019            m     the same on HAM10000: teacher, and lentigo-m
  soft  what m and e3 answer for 6 views of each training image
  s     e3 pruned to 25.4 million MACs and distilled   n     e3 pruned to 215 kB of weights and distilled
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
STAGES = ("pre", "mpre", "e3", "m", "soft", "s", "n")
CUT = ("torchvision/mobilenet_v2", "--option", "blocks=10")
WHOLE = ("torchvision/mobilenet_v2",)
PRUNED = {
    "s": ("--macs", "25.4e6"),
    "n": ("--bytes", "215000", "--importance", "lamp", "--scope", "global", "--most", "0.8"),
}


def main() -> None:
    """Run the stages asked for, in their order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, about in {"ham": "HAM10000", "isic2019": "ISIC 2019 (BCN, MSK)", "imagenet": "MobileNetV2 1.0"}.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=about)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--precision", help="instead of the recipes' bfloat16, for processors that are slow at it")
    asked = parser.parse_args()
    for stage in (name for name in STAGES if name in asked.stages):
        arguments = command(stage, asked)
        print(shlex.join(["lentigo", *arguments]), flush=True)
        done = subprocess.run([sys.executable, "-m", "lentigo", *arguments], check=False)
        if done.returncode:
            sys.exit(f"Stage {stage} ended with {done.returncode}. Run the same command again to go on.")


def command(stage: str, asked: argparse.Namespace) -> list[str]:
    """The arguments of `lentigo` for one stage."""
    fold = asked.out / f"fold-{asked.fold}"
    ham = ["--data", str(asked.ham), "--fold", str(asked.fold)]
    isic = ["--data", str(asked.isic2019), "--folds", "20", "--weights", str(asked.imagenet)]
    if stage == "pre":
        return _train(CUT, isic, "lentigo-s/pretraining_recipe", asked.out / "pre", asked)
    if stage == "mpre":
        return _train(WHOLE, isic, "lentigo-m/pretraining_recipe", asked.out / "mpre", asked)
    if stage == "e3":
        start = ["--weights", str(asked.out / "pre")]
        return _train(CUT, [*ham, *start], "lentigo-s/parent_recipe", fold / "e3", asked)
    if stage == "m":
        start = ["--weights", str(asked.out / "mpre")]
        return _train(WHOLE, [*ham, *start], "lentigo-m/recipe", fold / "m", asked)
    store = fold / "soft.safetensors"
    if stage == "soft":
        recipe = _recipe("lentigo-m/recipe", fold / "soft.json", asked)  # its views, at its size
        views = ["--views", "6", "--out", str(store), "--recipe", str(recipe)]
        return ["soft-labels", str(fold / "m"), str(fold / "e3"), *ham, *views]
    recipe = _recipe(f"lentigo-{stage}/recipe", fold / f"{stage}.json", asked, store)
    return ["prune", str(fold / "e3"), "--out", str(fold / stage), *PRUNED[stage], "--recipe", str(recipe)]


def _train(network: tuple[str, ...], given: list[str], recipe: str, out: Path, asked: argparse.Namespace) -> list[str]:
    if (out / "recipe.json").is_file():
        return ["train", network[0], "--out", str(out), "--resume"]
    written = _recipe(recipe, out.with_suffix(".json"), asked)
    return ["train", *network, *given, "--recipe", str(written), "--out", str(out)]


def _recipe(kept: str, out: Path, asked: argparse.Namespace, store: Path | None = None) -> Path:
    """The recipe in results/, with this machine's precision and the soft labels of this fold."""
    recipe: dict[str, Any] = json.loads((ROOT / "results" / f"{kept}.json").read_text(encoding="utf-8"))
    recipe.pop("soft_labels", None)
    if store:
        recipe["loss"]["params"] |= {"store": str(store)}
        recipe["loss"]["params"].pop("sha256", None)
    if asked.precision:
        recipe["precision"] = asked.precision
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(recipe, indent=2) + "\n", encoding="utf-8")
    return out


if __name__ == "__main__":
    main()

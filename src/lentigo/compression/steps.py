"""The steps that a compression recipe names: what each takes, what it makes, and its parameters.

A step of the *network* makes a run from a finished run; a step of the *file* makes a bundle from a bundle. Each is
restartable: interrupted and called again with the same folder it ends in the same files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lentigo import export
from lentigo.runtime import Bundle
from lentigo.training import Run
from lentigo.training.named import Registry

__all__ = ["STEPS", "Model", "Step", "exported", "run_step"]


@dataclass(frozen=True)
class Model:
    """What steps hand on.

    Attributes:
        run: the training, which also knows data and split.
        bundle: its file, which may have been compressed beyond the run.
    """

    run: Run
    bundle: Path


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        of: what it changes: the network, before anything is exported, or the exported file.
        precision: whether it decides the precision of the file's weights, which only one step may.
        needs: names of steps, one of which must follow, or the step has no effect on what ships.
        suffix: of the file that it makes.
        last: whether nothing may follow.
        make: from the model before, the one that compression started from, and where to write (the folder of a run, or
            a file) to the new run or file.
        check: refuses, from the run that compression starts from, what `make` would refuse after hours of other steps.
    """

    of: Literal["network", "file"]
    make: Callable[[Model, Model, Path], Run | Path]
    precision: bool = False
    needs: tuple[str, ...] = ()
    suffix: str = ".onnx"
    last: bool = False
    check: Callable[[Run], object] | None = None


STEPS: Registry[Step] = Registry("compression step")


def run_step(step: Step, name: str, before: Model, parent: Model, place: Path) -> Model:
    """What a step makes in a folder of its own, or made before: files appear whole or not at all.

    Args:
        step: what to do.
        name: what the recipe calls it.
        before: what it starts from.
        parent: what the compression started from.
        place: the folder, of this step alone.
    """
    file = place / f"model{step.suffix}"
    if step.of == "file":
        if not file.exists():
            step.make(before, parent, file)
        return Model(before.run, file)
    run = step.make(before, parent, place / "run")
    assert isinstance(run, Run)  # a step of the network
    return Model(run, exported(run, place, f"{parent.run.model} {name}", Bundle(before.bundle).sha256))


def exported(run: Run, place: Path, name: str, parent_sha256: str | None = None) -> Path:
    """The bundle of a run in a folder, written unless it is there."""
    file = place / "model.onnx"
    if not file.exists():
        export.bundle(run, file, name=name, parent_sha256=parent_sha256)
    return file

"""Let teachers answer for many views of each training image, once, for all students."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp

from lentigo import data
from lentigo.atomic import entries, make_folder, write_bytes, write_text
from lentigo.data.records import none_readable
from lentigo.errors import BundleError, OutputError, RunError
from lentigo.evaluation.evaluate import open_model
from lentigo.evaluation.overlap import refuse_overlap
from lentigo.progress import note, track
from lentigo.runtime import IdSet, Predictor
from lentigo.training import Recipe
from lentigo.training.history import duration
from lentigo.training.soft_labels import (
    SoftLabels,
    StoreDescription,
    Teacher,
    load_soft_labels,
    refuse_leak,
    save_soft_labels,
)
from lentigo.training.views import Views, augmentation_of

__all__ = ["build_soft_labels", "check_teachers", "soft_labels_from"]

BLOCK = 256
"""Images of one view whose answers are one file: what an interruption costs."""
BATCH = 32
"""Images that a teacher sees at a time; always the same ones together, so that a resumed store is the same to the bit.
"""
LEAST = 1e-6
"""Of a probability: its logarithm must not be infinite, and what is less says nothing."""
PathLike = str | os.PathLike[str]


def build_soft_labels(
    teachers: Predictor | Sequence[Predictor],
    split: data.Split,
    recipe: Recipe | None = None,
    views: int = 20,
    out: PathLike = "soft_labels.safetensors",
    *,
    seed: int = 0,
) -> SoftLabels:
    """The answers of one or several teachers for augmented views of the training part, as one file.

    Views are drawn at the largest of the teachers' and the recipe's size, so that every student up to this size can
    learn from them. Interrupted and called again with the same arguments, it ends in the same file.

    Args:
        teachers: who answers; of several the mean of their log-probabilities, all classes equally common.
        split: the student's; only its training part is looked at, unreadable images left out.
        recipe: how views are augmented, the least size of views, and what is learnt; other entries have no effect.
        views: of each image, numbered from 0.
        out: the file to write, .safetensors.
        seed: what all views are drawn from, besides the image's id and the view's number.

    Raises:
        LeakError: a teacher has seen a test image of the split, under its id or, of a teacher of other images, as far
            as names of data sets and pixels tell; or was trained on a validation image.
        RunError: other labels than the recipe's, an augmentation that mixes images, or no view.
        BundleError: a bundle of format 1, which doesn't say enough of what it was trained on.
        DataError: no image of the training part can be read.
        OutputError: the file, or the folder of unfinished answers beside it, is of something else, or can't be written.
    """
    members = list(teachers) if isinstance(teachers, Sequence) else [teachers]
    recipe, path = recipe or Recipe(), Path(out)
    learned, seen = check_teachers(members, split, recipe, views, path)
    size = max(recipe.size, *(member.size for member in members))
    pixels = data.load_pixels(split.records, size)
    records = pixels.readable(split.train)
    if not len(records):
        raise none_readable(split.train, pixels.problems[0])
    description = StoreDescription(
        seed=seed,
        views=views,
        size=size,
        augmentation=augmentation_of(recipe),
        label_set=json.loads(json.dumps(recipe.learned(split.records.label_set).to_dict())),
        teachers=[Teacher(name=m.name, sha256=m.sha256, size=m.size) for m in members],
        source=split.records.name,
        split_sha256=split.hash,
        ids=records.ids.tolist(),
        learned=learned.encode(),
        seen=seen.encode(),
    )
    if path.exists():
        return _same(path, description)
    work = _work_folder(path, description)
    _answer(members, description, pixels.of(records), work)
    save_soft_labels(description, _collected(description, work), path)
    shutil.rmtree(work)
    return load_soft_labels(path)


def soft_labels_from(
    teachers: Sequence[PathLike],
    root: data.Root,
    recipe: Recipe | None = None,
    views: int = 20,
    out: PathLike = "soft_labels.safetensors",
    *,
    split: PathLike | None = None,
    protocol: str = "grouped",
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
    device: str = "auto",
    labels: data.Labels | Sequence[data.Labels] = None,
    mapping: data.LabelMap | Sequence[data.LabelMap] = None,
) -> SoftLabels:
    """Open teachers, read and split a data set, and let them answer: `build_soft_labels` from names and folders.

    Args:
        teachers: folders of runs, or names or files of bundles.
        root: the data set, or several, as in `data.read`.
        recipe: as in `build_soft_labels`.
        views: as in `build_soft_labels`.
        out: as in `build_soft_labels`.
        split: a saved split, instead of one that is made.
        protocol: of the split that is made.
        fold: of the split that is made.
        folds: of the split that is made.
        seed: as in `build_soft_labels`.
        device: where runs predict.
        labels: the diagnoses that the data set distinguishes, as in `data.read`.
        mapping: as in `data.read`.

    Raises:
        DataError: the data can't be read or split, or the saved split isn't of these images.
        LentigoError: as `build_soft_labels`, and as `evaluation.evaluate.open_model`.
    """
    records = data.read(root, labels=labels, mapping=mapping)
    made = data.load_split(split, records) if split else data.split(records, protocol, fold=fold, folds=folds)
    members = [open_model(teacher, device=device) for teacher in teachers]
    return build_soft_labels(members, made, recipe, views, out, seed=seed)


def check_teachers(
    members: Sequence[Predictor], split: data.Split, recipe: Recipe, views: int, path: Path
) -> tuple[IdSet, IdSet]:
    """What the teachers were trained on, and trained or tuned on.

    Raises:
        LentigoError: as `build_soft_labels`.
    """
    if path.suffix != ".safetensors":
        raise OutputError(f"{path}: the name of a store must end in .safetensors.", "Rename the output.")
    if not members:
        raise RunError("There is no teacher.", "Name a run or a bundle.")
    if views < 1:
        raise RunError(f"{views} views are none to learn from.", "Set views to 1 or more.")
    classes = recipe.learned(split.records.label_set)
    learned = seen = IdSet({})
    for member in members:
        if member.labels != classes:
            raise RunError(
                f"{member.name} distinguishes {member.labels}, the student {classes}.",
                "Take a teacher with the labels of the data set.",
            )
        origin = member.origin
        if origin.hashed is not None or not len(origin.train):
            raise BundleError(
                f"{member.name} doesn't say which images it was trained on.", "Export its run again, or take the run."
            )
        learned, seen = learned | origin.train, seen | origin.train | origin.validation
    refuse_leak(", ".join(member.name for member in members), learned, seen, split)
    for member in members:
        _refuse_renamed(member, split)
    return learned, seen


def _refuse_renamed(teacher: Predictor, split: data.Split) -> None:
    """Of a teacher of other images than the student's, see whether these hold the student's test images by other ids.

    Raises:
        LeakError: they do, as far as names of data sets and pixels tell.
    """
    origin = teacher.origin
    if (origin.train | origin.validation | origin.test).contains(split.records.ids).any():
        return  # images of the student's data set: their ids said what is to be said
    found = refuse_overlap(
        teacher.name,
        origin.data,
        origin.pictures,
        split.test,
        instead="Take a teacher of the same split and fold, or of other images.",
    )
    note(f"{teacher.name} learned from other images than the student: {found}.")


def _same(path: Path, description: StoreDescription) -> SoftLabels:
    """The finished store, if it is the one that was asked for."""
    store = load_soft_labels(path)
    if store.description != description:
        raise OutputError(f"{path}: this store was built from something else.", "Choose another file.")
    return store


def _work_folder(path: Path, description: StoreDescription) -> Path:
    """The folder beside a store in which finished answers wait for the others."""
    folder, text = path.with_name(f"{path.name}.unfinished"), description.model_dump_json()
    described = folder / "description.json"
    if entries(folder) and (not described.is_file() or described.read_text(encoding="utf-8") != text):
        raise OutputError(
            f"{folder}: this folder holds answers of other teachers, views or images.",
            "Delete it, or choose another file.",
        )
    make_folder(folder)
    write_text(described, text)
    return folder


def _blocks(description: StoreDescription) -> list[tuple[int, int]]:
    """View and first image of each block, all images of a view before the next view."""
    return [(view, start) for view in range(description.views) for start in range(0, len(description.ids), BLOCK)]


def _block_file(work: Path, view: int, start: int) -> Path:
    return work / f"view{view:04d}-{start:07d}.f16"


def _answer(
    members: Sequence[Predictor], description: StoreDescription, squares: NDArray[np.uint8], work: Path
) -> None:
    """Write the answers of the blocks that aren't there yet."""
    views = Views(description.augmentation, description.seed)
    classes = [label["id"] for label in description.label_set["labels"]]
    blocks = _blocks(description)
    missing = [block for block in blocks if not _is_whole(description, work, *block)]
    began = time.perf_counter()
    for i, (view, start) in enumerate(
        track(missing, f"Soft labels of {len(description.ids):,} images", len(blocks), done=len(blocks) - len(missing))
    ):
        part = slice(start, start + BLOCK)
        drawn = views(torch.from_numpy(squares[part]).permute(0, 3, 1, 2), description.ids[part], view)
        answers = log_probabilities(members, drawn.permute(0, 2, 3, 1).contiguous().numpy(), classes)
        write_bytes(_block_file(work, view, start), answers.astype(np.float16).tobytes())
        if i == 0 and len(missing) > 1:
            left = (time.perf_counter() - began) * (len(missing) - 1)
            note(f"{description.views} views of {len(description.ids):,} images: about {duration(left)} to go.")


def log_probabilities(
    members: Sequence[Predictor], images: NDArray[np.uint8], classes: Sequence[str]
) -> NDArray[np.float32]:
    """The mean of the teachers' log-probabilities, normalised, all classes equally common: [N, K].

    Args:
        members: the teachers.
        images: uint8 [N, S, S, 3].
        classes: in whose order.
    """
    logs = []
    for member in members:
        batches = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
        answers = np.concatenate([member.predict(batch).probabilities for batch in batches])
        logs.append(np.log(np.clip(answers[:, member.labels.index(classes)], LEAST, 1)))
    mean = np.mean(logs, axis=0)
    return (mean - logsumexp(mean, axis=1, keepdims=True)).astype(np.float32)


def _is_whole(description: StoreDescription, work: Path, view: int, start: int) -> bool:
    file, images = _block_file(work, view, start), min(BLOCK, len(description.ids) - start)
    return file.is_file() and file.stat().st_size == 2 * images * len(description.label_set["labels"])


def _collected(description: StoreDescription, work: Path) -> NDArray[np.float16]:
    """All answers, [N, V, K]."""
    count, classes = len(description.ids), len(description.label_set["labels"])
    answers = np.empty((count, description.views, classes), np.float16)
    for view, start in _blocks(description):
        block = np.frombuffer(_block_file(work, view, start).read_bytes(), np.float16).reshape(-1, classes)
        answers[start : start + len(block), view] = block
    return answers

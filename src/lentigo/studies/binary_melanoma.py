"""Chakraborty, Dhar, Deb, 2025: a CNN, VGG16 and MobileNetV2 on 1,200 images, benign or malignant."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product

from lentigo.studies.numbers import network_cost
from lentigo.studies.study import Cell, Check, Figure, Measured, PublishedRecipe, Study, System, Table

__all__ = ["STUDY", "Confusion", "confusions"]

_CNN, _VGG16, _MOBILENET = "Custom CNN", "VGG16", "MobileNetV2"

_TRAINING = PublishedRecipe(
    epochs=20,
    batch_size=32,
    learning_rate=1e-3,
    schedule="constant",
    early_stopping=3,
    class_weights=True,
    normalisation="unit",
)
_TRANSFER = replace(_TRAINING, frozen_base=True)
_OPEN = (
    "range of pixels: 'a common value range'; 0 to 1 is assumed, ImageNet's mean and deviation for pretrained bases",
    "augmentation: named in abstract and figure 3, without what it does; none is assumed",
    "validation part: early stopping watches it, its images are not given; an eighth of the training part is assumed",
)

TABLE_1 = Table(
    "1",
    "Layer-wise output shape and parameter count of the implemented custom CNN model",
    ("parameters",),
    {
        "Conv2D-1": (896,),
        "BatchNorm-1": (128,),
        "Conv2D-2": (18_496,),
        "BatchNorm-2": (256,),
        "Conv2D-3": (73_856,),
        "BatchNorm-3": (512,),
        "Dense-1": (22_151_424,),
        "Dense-2": (514,),
        "Total Trainable Parameters": (22_245_634,),
        "Total Non-Trainable Parameters": (448,),
        "Total Parameters": (66_737_352,),
    },
)
TABLE_2 = Table("2", "Model accuracy", ("accuracy %",), {_CNN: (84,), _VGG16: (87,), _MOBILENET: (82,)})
_REPORT = ("precision", "recall", "F1", "support")
TABLE_3 = Table(
    "3",
    "MobileNetV2 classification report",
    _REPORT,
    {
        "Benign": (0.78, 0.90, 0.84, 120),
        "Malignant": (0.88, 0.75, 0.81, 120),
        "Accuracy": (None, None, 0.82, 240),
        "Macro avg": (0.83, 0.82, 0.82, 240),
        "Weighted avg": (0.83, 0.82, 0.82, 240),
    },
)
TABLE_4 = Table(
    "4",
    "CNN classification report",
    _REPORT,
    {
        "Benign": (0.77, 0.97, 0.86, None),
        "Malignant": (0.96, 0.72, 0.82, None),
        "Accuracy": (None, None, 0.84, None),
        "Macro avg": (0.86, 0.84, 0.84, None),
        "Weighted avg": (0.86, 0.84, 0.84, None),
    },
)
TABLE_5 = Table(
    "5",
    "VGG16 classification report",
    _REPORT,
    {
        "Benign": (0.81, 0.97, 0.88, None),
        "Malignant": (0.96, 0.78, 0.86, None),
        "Accuracy": (None, None, 0.87, None),
        "Macro avg": (0.88, 0.87, 0.87, None),
        "Weighted avg": (0.88, 0.87, 0.87, None),
    },
)
TEXT = Table(
    "text",
    "The data set, sections 3.1 and 3.2, and supports of table 3",
    ("images",),
    {"subset": (1_200,), "test": (240,), "test, benign": (120,), "test, malignant": (120,)},
)

_IMAGES = 120
"""Test images of each class, table 3."""

Confusion = tuple[int, int]
"""Of 120 benign and 120 malignant test images, how many of each were classified correctly."""


def confusions(report: Table) -> list[Confusion]:
    """All confusion matrices of 120 and 120 images whose classification report rounds to the printed one.

    The papers' confusion matrices are pictures; this tells what they can hold.
    """
    called_right = range(1, _IMAGES + 1)
    return [pair for pair in product(called_right, called_right) if _rounds_to(report, pair)]


def _rounds_to(report: Table, pair: Confusion) -> bool:
    benign, malignant = pair
    called = {"Benign": benign + _IMAGES - malignant, "Malignant": malignant + _IMAGES - benign}
    for name, right in zip(called, pair, strict=True):
        values = (right / called[name], right / _IMAGES, 2 * right / (called[name] + _IMAGES))
        if any(not _close(report[name, c], v) for c, v in zip(_REPORT[:3], values, strict=True)):
            return False
    return _close(report["Accuracy", "F1"], sum(pair) / (2 * _IMAGES))


def _close(printed: float, value: float) -> bool:
    """Whether a value rounds to the printed two digits, halves either way."""
    return abs(printed - value) <= 0.005 + 1e-9


def _layer(number: int) -> float:
    """Parameters of table 1's layer of this number."""
    return [layer.parameters for layer in network_cost("melanoma_cnn").layers if layer.parameters][number]


def _accuracies(report: Table) -> Callable[[], float]:
    """Mean accuracy in percent of the confusion matrices that a report allows."""

    def mean() -> float:
        found = confusions(report)
        return sum(100 * sum(pair) / (2 * _IMAGES) for pair in found) / len(found)

    return mean


def _adam() -> float:
    """Weights and moving statistics, two moments for each trainable weight, a step and a learning rate."""
    counted = network_cost("melanoma_cnn")
    return counted.parameters + 2 * counted.trainable + 2


CHECKS = (
    Check(
        "trainable parameters of the CNN",
        "table 1",
        TABLE_1["Total Trainable Parameters", "parameters"],
        lambda: network_cost("melanoma_cnn").trainable,
        "Built layer by layer.",
    ),
    Check(
        "non-trainable parameters of the CNN",
        "table 1",
        TABLE_1["Total Non-Trainable Parameters", "parameters"],
        lambda: network_cost("melanoma_cnn").non_trainable,
        "Moving statistics of three batch norms.",
    ),
    Check(
        "total parameters of the CNN",
        "table 1",
        TABLE_1["Total Parameters", "parameters"],
        lambda: network_cost("melanoma_cnn").parameters,
        "Trainable and non-trainable parameters of the same table add up to 22,246,082.",
    ),
    Check(
        "total parameters of the CNN with the state of Adam",
        "table 1",
        TABLE_1["Total Parameters", "parameters"],
        _adam,
        "The printed total is that of Keras' summary of a trained model: two moments a weight and two scalars more.",
    ),
    *(
        Check(
            f"accuracy of {name}",
            "table 2",
            TABLE_2[name, "accuracy %"],
            _accuracies(report),
            f"From the confusion matrices that round to table {report.name}.",
            tolerance=0.5,
            unit="%",
        )
        for name, report in ((_CNN, TABLE_4), (_VGG16, TABLE_5), (_MOBILENET, TABLE_3))
    ),
    Check(
        "benign test images",
        "table 3",
        TEXT["test, benign", "images"],
        lambda: TEXT["subset", "images"] - 1_113,
        "'All the malignant samples were left untouched' in a subset of 1,200: HAM10000's 1,113 melanomas alone would "
        "leave 87 benign images for training and test together.",
    ),
)

_CELLS = {
    "Benign": ("precision.benign", "recall.benign", "f1.benign"),
    "Malignant": ("precision.malignant", "recall.malignant", "f1.malignant"),
    "Accuracy": (None, None, "accuracy"),
    "Macro avg": ("precision.macro", "recall.macro", "f1.macro"),
    "Weighted avg": ("precision.weighted", "recall.weighted", "f1.weighted"),
}
RECOMPUTED: dict[Cell, Callable[[], float]] = {
    **{("1", row, "parameters"): partial(_layer, number) for number, row in enumerate(list(TABLE_1.rows)[:8])},
    ("1", "Total Trainable Parameters", "parameters"): lambda: network_cost("melanoma_cnn").trainable,
    ("1", "Total Non-Trainable Parameters", "parameters"): lambda: network_cost("melanoma_cnn").non_trainable,
    ("1", "Total Parameters", "parameters"): lambda: network_cost("melanoma_cnn").parameters,
    **{
        ("2", name, "accuracy %"): _accuracies(report)
        for name, report in ((_CNN, TABLE_4), (_VGG16, TABLE_5), (_MOBILENET, TABLE_3))
    },
}
MEASURED: dict[Cell, Measured] = {
    **{("2", name, "accuracy %"): Measured(name, "accuracy", percent=True) for name in (_CNN, _VGG16, _MOBILENET)},
    **{
        (table, row, column): Measured(name, metric)
        for table, name in (("3", _MOBILENET), ("4", _CNN), ("5", _VGG16))
        for row, metrics in _CELLS.items()
        for column, metric in zip(_REPORT[:3], metrics, strict=True)
        if metric
    },
    ("text", "test", "images"): Measured(_CNN, "images"),
    ("text", "test, benign", "images"): Measured(_CNN, "images.benign"),
    ("text", "test, malignant", "images"): Measured(_CNN, "images.malignant"),
}

STUDY = Study(
    id="binary_melanoma",
    title="Skin Cancer (Melanoma) Detection Using Deep Learning Model",
    citation="Chakraborty, Dhar, Deb, Premier University, 2025",
    systems=(
        System(_CNN, "melanoma_cnn", _TRAINING, task="malignancy", left_open=_OPEN),
        System(
            _VGG16,
            "vgg16_tl",
            _TRANSFER,
            task="malignancy",
            pretrained=True,
            left_open=(*_OPEN, "head: section 4.1.2 describes it without and then with dense 256; with it is assumed"),
        ),
        System(_MOBILENET, "mobilenetv2_tl", _TRANSFER, task="malignancy", pretrained=True, left_open=_OPEN),
    ),
    protocols=("balanced_subset_leaky",),
    honest="balanced_subset",
    tables=(TABLE_1, TABLE_2, TABLE_3, TABLE_4, TABLE_5, TEXT),
    figures=(
        Figure("1", "samples"),
        Figure("2", "class_distribution"),
        Figure("3", "augmented_samples"),
        Figure("8a", "confusion_matrix", _CNN),
        Figure("8b", "confusion_matrix", _VGG16),
        Figure("9", "confusion_matrix", _MOBILENET),
        Figure("10", "accuracy_curve", _CNN),
        Figure("10", "loss_curve", _CNN),
        Figure("11", "accuracy_curve", _VGG16),
        Figure("11", "loss_curve", _VGG16),
        Figure("12", "accuracy_curve", _MOBILENET),
        Figure("12", "loss_curve", _MOBILENET),
        Figure("13", "predictions"),
    ),
    checks=CHECKS,
    recomputed=RECOMPUTED,
    measured=MEASURED,
    remarks=(
        "Section 3.2 calls nevi the positive and melanomas the negative samples, and reports the other way round.",
        "Section 3.1 gives HAM10000 the licence CC BY 4.0; it is CC BY-NC 4.0.",
        "Class weights are said to counter an imbalance that the subsampling is said to have removed.",
    ),
)

"""Yashaswini et al., 2025: a sequential CNN with Grad-CAM and a web page."""

from collections.abc import Callable
from functools import partial

from lentigo.studies.numbers import network_cost
from lentigo.studies.study import Cell, Check, Figure, Measured, PublishedRecipe, Study, System, Table

__all__ = ["STUDY"]

_PLAIN, _VGG16, _RESNET50, _PROPOSED = "Traditional CNN", "VGG16", "ResNet50", "Proposed Optimized CNN"

_AUGMENTATION = ("rotation", "horizontal flip", "vertical flip", "zoom", "crop", "brightness")
_RECIPE = PublishedRecipe(augmentation=_AUGMENTATION, normalisation="unit")
_TRANSFER = PublishedRecipe(augmentation=_AUGMENTATION, normalisation="unit", frozen_base=True)
_OPEN = (
    "epochs, batch size, learning rate and split: not stated",
    "ranges of the augmentations: not stated",
)
_SIZE = "size of its input: not stated; the 100x100 pixels of table 1 are taken, so that all four see the same"

TABLE_1 = Table(
    "1",
    "Data training the Sequential",
    ("parameters",),
    {
        "conv2d": (896,),
        "conv2d_1": (9_248,),
        "conv2d_2": (18_496,),
        "conv2d_3": (36_928,),
        "dense": (3_965_056,),
        "dense_1": (903,),
        "Total params": (4_031_527,),
        "Trainable params": (4_031_527,),
        "Non-trainable params": (0,),
    },
)
COMPARISON = Table(
    "comparison",
    "Comparison with existing models, section IV.B (the table has no number)",
    ("accuracy %",),
    {_PLAIN: (85,), _VGG16: (88,), _RESNET50: (90,), _PROPOSED: (93,)},
)
TEXT = Table(
    "text",
    "Final test results, section IV.A",
    ("value",),
    {
        "accuracy from, %": (92,),
        "accuracy to, %": (94,),
        "precision": (0.91,),
        "recall": (0.90,),
        "F1": (0.91,),
        "megabytes": (15.38,),
        "pixels a side, section III.2": (224,),
    },
)


def _layer(number: int) -> float:
    """Parameters of table 1's layer of this number."""
    return [layer.parameters for layer in network_cost("explainable_cnn").layers if layer.parameters][number]


CHECKS = (
    Check(
        "parameters of the sequential CNN",
        "table 1",
        TABLE_1["Total params", "parameters"],
        lambda: network_cost("explainable_cnn").parameters,
        "Built layer by layer at 100x100 pixels.",
    ),
    Check(
        "sum of the table's layers",
        "table 1",
        TABLE_1["Total params", "parameters"],
        lambda: sum(list(TABLE_1.column("parameters").values())[:6]),
        "The six layers that have parameters.",
    ),
    Check(
        "size of the parameters",
        "table 1",
        TEXT["megabytes", "value"],
        lambda: 4 * network_cost("explainable_cnn").parameters / 2**20,
        "As 32-bit floats, in MiB.",
        tolerance=0.005,
        unit="MB",
    ),
    Check(
        "pixels a side",
        "section III.2",
        TEXT["pixels a side, section III.2", "value"],
        lambda: 98 + 2,
        "Table 1's first convolution gives 98x98, and without padding it takes two pixels: the input is 100x100.",
        unit="pixels",
    ),
    Check(
        "F1",
        "section IV.A",
        TEXT["F1", "value"],
        lambda: 2 / (1 / TEXT["precision", "value"] + 1 / TEXT["recall", "value"]),
        "Harmonic mean of precision and recall, which holds for one class and nearly for averages.",
        tolerance=0.01,
    ),
    Check(
        "accuracy of the proposed CNN",
        "section IV.B",
        COMPARISON[_PROPOSED, "accuracy %"],
        lambda: (TEXT["accuracy from, %", "value"] + TEXT["accuracy to, %", "value"]) / 2,
        "Section IV.A gives 92 to 94.",
        tolerance=0.5,
        unit="%",
    ),
)

RECOMPUTED: dict[Cell, Callable[[], float]] = {
    **{("1", row, "parameters"): partial(_layer, number) for number, row in enumerate(list(TABLE_1.rows)[:6])},
    ("1", "Total params", "parameters"): lambda: network_cost("explainable_cnn").parameters,
    ("1", "Trainable params", "parameters"): lambda: network_cost("explainable_cnn").trainable,
    ("1", "Non-trainable params", "parameters"): lambda: network_cost("explainable_cnn").non_trainable,
    ("text", "megabytes", "value"): lambda: 4 * network_cost("explainable_cnn").parameters / 2**20,
    ("text", "F1", "value"): lambda: 2 / (1 / TEXT["precision", "value"] + 1 / TEXT["recall", "value"]),
}
MEASURED: dict[Cell, Measured] = {
    **{
        ("comparison", name, "accuracy %"): Measured(name, "accuracy", percent=True)
        for name in (_PLAIN, _VGG16, _RESNET50, _PROPOSED)
    },
    ("text", "precision", "value"): Measured(_PROPOSED, "precision.weighted", note="the kind of average is not stated"),
    ("text", "recall", "value"): Measured(_PROPOSED, "recall.weighted", note="the kind of average is not stated"),
    ("text", "F1", "value"): Measured(_PROPOSED, "f1.weighted", note="the kind of average is not stated"),
}

STUDY = Study(
    id="explainable_cnn",
    title="Optimized ResNet-50 CNN for Smart Healthcare Skin Cancer Classification",
    citation="Yashaswini, Jyothi, Navyashree, Punyakala, International Journal of Innovative Research in Engineering "
    "6(6), 2025, 130-139",
    systems=(
        System(
            _PROPOSED,
            "explainable_cnn",
            _RECIPE,
            left_open=(
                *_OPEN,
                "rates of dropout: not stated; 0.25, 0.25 and 0.5 are assumed",
                "search over learning rate, filters, batch size and optimizer, by grid and genetic algorithm: ranges "
                "and outcome not stated",
            ),
        ),
        System(_PLAIN, "plain_cnn", _RECIPE, left_open=(*_OPEN, "its layers: not printed")),
        System(
            _VGG16,
            "vgg16_tl",
            _TRANSFER,
            pretrained=True,
            size=100,
            left_open=(*_OPEN, "its head and its start: not stated", _SIZE),
        ),
        System(
            _RESNET50,
            "resnet50_tl",
            _TRANSFER,
            pretrained=True,
            options={"stride_on_first": True},
            size=100,
            left_open=(*_OPEN, "its head and its start: not stated", _SIZE),
        ),
    ),
    protocols=("image_level_leaky",),
    tables=(TABLE_1, COMPARISON, TEXT),
    figures=(
        Figure("4", "heat_maps", _PROPOSED),
        Figure("6", "accuracy_curve", _PROPOSED),
        Figure("6", "loss_curve", _PROPOSED),
        Figure("7", "confusion_matrix", _PROPOSED),
    ),
    checks=CHECKS,
    recomputed=RECOMPUTED,
    measured=MEASURED,
    remarks=(
        "The title and image 2 name an optimized ResNet-50; table 1 is a sequential CNN, and the comparison has both.",
        "Section III.3 adds batch normalization; table 1 has none, and no non-trainable parameters.",
        "The page is said to show benign or malignant; the network distinguishes seven diagnoses.",
    ),
)

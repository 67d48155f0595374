"""Al Mamun et al., 2025: a small CNN against ResNet50 with transfer learning, by parameters and FLOPs."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lentigo.studies.efficient_cnn_tables import TABLE_I, TABLE_II, TABLE_III, TABLE_IV, TEXT
from lentigo.studies.numbers import network_cost
from lentigo.studies.study import Cell, Check, Figure, Measured, PublishedRecipe, Study, System, Table

__all__ = ["STUDY"]

_RECIPE = PublishedRecipe(augmentation=("rotation", "flip"), normalisation="training")
_TRANSFER = replace(_RECIPE, frozen_base=True, unfrozen_later=True)
_OPEN = (
    "epochs, batch size, learning rate and split: not stated",
    "loss: binary cross-entropy (equation 4) beside seven softmax outputs (table II); categorical is assumed",
)


def _parameters_of(network: str, **options: bool) -> float:
    return network_cost(network, **options).parameters


def _layer(number: int) -> float:
    """Parameters of table II's layer of this number, biases included."""
    return [layer.parameters for layer in network_cost("efficient_cnn").layers if layer.parameters][number]


def _mobilenet() -> float:
    """Keras' MobileNet without top, and a dense layer to seven classes."""
    return 3_228_864 + 1_024 * 7 + 7


def _inception(attention: bool) -> float:
    """Keras' way: its batch norms have no scale here. Without attention the maps of 8x8 are flattened as they are."""
    whole = network_cost("inception_resnet_v2_sa")
    scales = sum(layer.parameters // 4 for layer in whole.layers if layer.kind.startswith("BatchNorm"))
    block, pooled, plain = 192 * 9 * 16 + 16, 4 * 4 * 2 * 192 * 7, 8 * 8 * 192 * 7
    return whole.parameters - scales + (0 if attention else plain - pooled - block)


def _cell(table: Table, column: str, row: str) -> float:
    return table[row, column]


_claim = partial(_cell, TEXT, "value")
_parameters = partial(_cell, TABLE_III, "parameters")
_percent = partial(Check, unit="%")
_CUSTOM, _RESNET = "Custom CNN Implementation", "Baseline: ResNet50 + TL"

_CLAIMS: dict[str, Callable[[], float]] = {
    "ResNet50 parameters, millions": lambda: _parameters(_RESNET) / 1e6,
    "parameters reduced by, %": lambda: 100 * (1 - _parameters(_CUSTOM) / _parameters(_RESNET)),
    "accuracy gained by transfer learning, %": lambda: (
        TABLE_IV["TL (ResNet50)", "accuracy %"] - TABLE_IV["Custom CNN", "accuracy %"]
    ),
    "FLOPs added by transfer learning, %": lambda: (
        100 * (TABLE_IV["TL (ResNet50)", "FLOPs"] / network_cost("efficient_cnn_reconstructed").macs - 1)
    ),
    "FLOPs reduced by, %": lambda: 100 * (1 - TABLE_IV["Custom CNN", "FLOPs"] / TABLE_IV["TL (ResNet50)", "FLOPs"]),
    "accuracy of the proposed system in section II, %": lambda: TABLE_IV["Custom CNN", "accuracy %"],
}
"""What arithmetic makes of the claims of the text, by the rows of `TEXT`."""

_ATTENTION = (
    (
        "ResNet50 + SA",
        partial(_parameters_of, "resnet50_sa", conv_biases=True),
        "Keras' ResNet50, soft attention with 16 heads on its last maps, pooled and averaged.",
    ),
    ("DenseNet201 + SA", partial(_parameters_of, "densenet201_sa"), "Cut 28 Keras layers before its end, in a block."),
    ("IRV2 + SA", partial(_inception, attention=True), "Cut 28 Keras layers before its end, in a block."),
    ("Soft Attention", partial(_inception, attention=True), "The same network as the row IRV2 + SA."),
    (
        "IRV2 + GradCam",
        partial(_inception, attention=False),
        "The same cut without attention, its maps flattened without the pooling: Grad-CAM has no parameters.",
    ),
)

CHECKS = (
    Check(
        "parameters of the custom CNN's dense 256",
        "table II",
        TABLE_II["Dense 256", "parameters"],
        lambda: 100_352 * 256 + 256,
        "100,352 inputs and a bias for each of 256 outputs; the table leaves the biases out, here alone.",
    ),
    Check(
        "parameters of the custom CNN",
        "table III",
        _parameters(_CUSTOM),
        partial(_parameters_of, "efficient_cnn"),
        "Table II's network has 25,785,415 parameters. It cannot be the one of tables III and IV.",
    ),
    Check(
        "parameters of the custom CNN, reconstructed",
        "table III",
        _parameters(_CUSTOM),
        partial(_parameters_of, "efficient_cnn_reconstructed"),
        "A network at 64x64 pixels that has both figures to the unit; a reconstruction, not printed in the paper.",
    ),
    Check(
        "FLOPs of the custom CNN",
        "table IV",
        TABLE_IV["Custom CNN", "FLOPs"],
        lambda: network_cost("efficient_cnn").macs,
        "Table II's network by equations 10 and 11. The equations count multiply-accumulates; FLOPs are twice that.",
        tolerance=0.005e6,
    ),
    Check(
        "FLOPs of the custom CNN, reconstructed",
        "table IV",
        TABLE_IV["Custom CNN", "FLOPs"],
        lambda: network_cost("efficient_cnn_reconstructed").macs,
        "30,037,824 multiply-accumulates by equations 10 and 11.",
        tolerance=0.005e6,
    ),
    Check(
        "FLOPs of ResNet50 + TL",
        "table IV",
        TABLE_IV["TL (ResNet50)", "FLOPs"],
        lambda: network_cost("resnet50_tl", stride_on_first=True).macs,
        "Keras' ResNet50 at 224x224 by equations 10 and 11; torchvision's, with its later stride, has 4.09 billion.",
        tolerance=0.005e9,
    ),
    Check(
        "parameters of ResNet50 + TL",
        "table III",
        _parameters(_RESNET),
        partial(_parameters_of, "resnet50_tl", conv_biases=True),
        "Keras' ResNet50 without top, global average pool, batch norm, dense 32, dense 7. Torch's has no biases in "
        "front of batch norms: 26,560 fewer.",
    ),
    Check(
        "parameters of ResNet50 in the abstract",
        "abstract",
        _claim("ResNet50 parameters, millions"),
        _CLAIMS["ResNet50 parameters, millions"],
        "Table III gives 23.66 million; 23.9 is its row ResNet50 + SA.",
        tolerance=0.05,
        unit="million",
    ),
    _percent(
        "parameters reduced by",
        "abstract",
        _claim("parameters reduced by, %"),
        _CLAIMS["parameters reduced by, %"],
        "From table III's own counts.",
        tolerance=0.05,
    ),
    _percent(
        "accuracy gained by transfer learning",
        "table IV",
        _claim("accuracy gained by transfer learning, %"),
        _CLAIMS["accuracy gained by transfer learning, %"],
        "In percentage points, from the table's own column.",
        tolerance=0.0005,
    ),
    _percent(
        "FLOPs added by transfer learning",
        "table IV",
        _claim("FLOPs added by transfer learning, %"),
        _CLAIMS["FLOPs added by transfer learning, %"],
        "4.00 billion over the reconstruction's 30,037,824, less one; the rounding of 4.00 billion allows more.",
        tolerance=17.0,
    ),
    _percent(
        "FLOPs reduced by",
        "conclusion",
        _claim("FLOPs reduced by, %"),
        _CLAIMS["FLOPs reduced by, %"],
        "From table IV.",
        tolerance=0.05,
    ),
    _percent(
        "accuracy of the proposed system",
        "section II",
        _claim("accuracy of the proposed system in section II, %"),
        _CLAIMS["accuracy of the proposed system in section II, %"],
        "Table IV gives the custom CNN 87.05; table I gives the paper's own row 89.08.",
        tolerance=0.005,
    ),
    *(
        Check(f"parameters of {row}", "table III", _parameters(row), recompute, because)
        for row, recompute, because in _ATTENTION
    ),
    *(
        Check(
            f"parameters of {row}",
            "table III",
            _parameters(row),
            partial(_parameters_of, network),
            "Backbone, attention and one dense layer. The rest of the printed count is in layers that no paper prints.",
            decides=False,
        )
        for row, network in (("VGG16 + SA", "vgg16_sa"), ("ResNet34 + SA", "resnet34_sa"))
    ),
    Check(
        "parameters of MobileNet",
        "table III",
        _parameters("MobileNet"),
        _mobilenet,
        "Keras' MobileNet without top has 3,228,864; the printed count is its ImageNet classifier's, with 1,000 "
        "classes and not seven.",
    ),
)

_TABLE_IV_CNN, _TL = "Custom CNN (tables III, IV)", "ResNet50 + TL"

RECOMPUTED: dict[Cell, Callable[[], float]] = {
    **{("II", row, "parameters"): partial(_layer, row_number) for row_number, row in enumerate(TABLE_II.rows)},
    **{("III", row, "parameters"): recompute for row, recompute, _ in _ATTENTION},
    ("III", "VGG16 + SA", "parameters"): partial(_parameters_of, "vgg16_sa"),
    ("III", "ResNet34 + SA", "parameters"): partial(_parameters_of, "resnet34_sa"),
    ("III", "MobileNet", "parameters"): _mobilenet,
    ("III", _RESNET, "parameters"): partial(_parameters_of, "resnet50_tl", conv_biases=True),
    ("III", _CUSTOM, "parameters"): partial(_parameters_of, "efficient_cnn"),
    **{("text", row, "value"): recompute for row, recompute in _CLAIMS.items()},
    ("IV", "Custom CNN", "FLOPs"): lambda: network_cost("efficient_cnn").macs,
    ("IV", "TL (ResNet50)", "FLOPs"): lambda: network_cost("resnet50_tl", stride_on_first=True).macs,
}
MEASURED = {
    ("I", "ResNet50 + TL, HAM10000", "accuracy %"): Measured(_TL, "accuracy", percent=True),
    ("IV", "Custom CNN", "accuracy %"): Measured(
        _TABLE_IV_CNN,
        "accuracy",
        percent=True,
        note="the reconstruction; the other is among the systems",
    ),
    ("IV", "TL (ResNet50)", "accuracy %"): Measured(_TL, "accuracy", percent=True),
    ("text", "training time reduced by more than, %", "value"): Measured(
        _TABLE_IV_CNN, "seconds", percent=True, saved_over=_TL
    ),
    ("text", "inference faster by, %", "value"): Measured(_TABLE_IV_CNN, "milliseconds", percent=True, saved_over=_TL),
}

STUDY = Study(
    id="efficient_cnn",
    title="Optimizing Deep Learning for Skin Cancer Classification: A Computationally Efficient CNN with Minimal "
    "Accuracy Trade-Off",
    citation="Al Mamun, Ray, Ul Nasib, Das, Uddin, Absur, 2025",
    systems=(
        System("Custom CNN (table II)", "efficient_cnn", _RECIPE, left_open=_OPEN),
        System(
            _TABLE_IV_CNN,
            "efficient_cnn_reconstructed",
            _RECIPE,
            left_open=(*_OPEN, "layers and input size: not printed; a reconstruction from both figures"),
        ),
        System(
            _TL,
            "resnet50_tl",
            _TRANSFER,
            pretrained=True,
            options={"stride_on_first": True},
            left_open=(
                *_OPEN,
                "which layers are unfrozen, and when: 'some of the earlier layers' in section III.E",
                "the head: not printed; batch norm and dense 32 follow from the count",
            ),
        ),
    ),
    protocols=("image_level_leaky",),
    tables=(TABLE_I, TABLE_II, TABLE_III, TABLE_IV, TEXT),
    figures=(
        Figure("3", "samples"),
        Figure("4", "accuracy_curve", _TL),
        Figure("5", "loss_curve", _TL),
        Figure("6", "confusion_matrix", _TL),
        Figure("7", "roc", _TL),
    ),
    checks=CHECKS,
    recomputed=RECOMPUTED,
    measured=MEASURED,
    remarks=(
        "Section IV.B swaps the systems: it gives 692,807 parameters to ResNet50 + TL and 23.66 million to the CNN.",
        "Equation 4 is binary cross-entropy for benign and malignant; table II ends in a softmax over seven classes, "
        "and the results are over seven.",
        "Equation 5 divides the second moment by the root of the first; Adam as published divides the first by the "
        "root of the second.",
        "Section III.B standardises by mean and deviation and says that this gives values of 0 to 1; it doesn't.",
        "Table IV heads one column 'Accuracy (F-Score)'; the text reads it as accuracy.",
        "Neither the share of test images nor the way of splitting is given; image-level is the usual one.",
    ),
)

"""Cabrejos-Yalán, Rodriguez, 2024: a CNN for 28x28 pixels, pruned and quantized."""

from collections.abc import Callable

from lentigo.studies.numbers import network_cost
from lentigo.studies.study import Cell, Check, Figure, Measured, PublishedRecipe, Study, System, Table, Variant

__all__ = ["STUDY"]

_CLASSES = {
    "Nevus": 6_705,
    "Melanoma": 1_113,
    "Keratosis": 1_099,
    "Basal cell carcinoma": 514,
    "Squamous cell carcinoma": 327,
    "Vascular lesions": 142,
    "Dermatofibroma": 115,
}
TABLE_4 = Table("4", "The data set's distribution of types", ("images",), {k: (n,) for k, n in _CLASSES.items()})
TABLE_6 = Table(
    "6", "Results after image oversampling", ("before", "after"), {k: (n, 5_367) for k, n in _CLASSES.items()}
)
TABLE_7 = Table(
    "7",
    "Hyperparameters of the CNN model",
    ("value",),
    {
        "batch size": (128,),
        "epochs": (25,),
        "ReduceLROnPlateau, patience": (2,),
        "ReduceLROnPlateau, factor": (0.5,),
        "ReduceLROnPlateau, lowest rate": (0.00001,),
    },
)
_BASE, _PRUNED, _HALF, _BYTES = "Base Model", "MBWP", "Quantization (16-bits)", "MBWP + Quantization (8-bits)"
TABLE_8 = Table(
    "8",
    "Results of each pruning technique (MBWP's decrease in accuracy is printed as '< 1%')",
    ("MB", "accuracy", "efficiency factor", "decrease in accuracy %", "size reduction %"),
    {
        _BASE: (14.74, 0.9864, 1.00, None, None),
        _PRUNED: (4.96, 0.9772, 2.97, None, 66),
        _HALF: (2.44, 0.9866, 6.04, 0.0, 83),
        _BYTES: (1.24, 0.9735, 11.89, 1.33, 92),
    },
)
TEXT = Table(
    "text",
    "Section 4, of the optimized prototype",
    ("value",),
    {
        "MB": (0.39,),
        "size reduction %": (97.36,),
        "efficiency factor": (37.79,),
        "accuracy": (0.9815,),
        "precision": (0.9820,),
        "recall": (0.9815,),
        "F1": (0.9812,),
        "AUC, abstract": (0.99,),
        "AUC, section 4": (1.00,),
        "sparsity at first %": (85,),
        "sparsity at last %": (95,),
        "pruning from step": (2_000,),
        "pruning to step": (5_000,),
        "pruning every steps": (100,),
    },
)


def _parameters() -> int:
    return network_cost("compressed_cnn").parameters


def _with_adam() -> float:
    """Megabytes of the weights and statistics, and of two moments for each trainable weight, as 32-bit floats."""
    counted = network_cost("compressed_cnn")
    return 4e-6 * (counted.parameters + 2 * counted.trainable)


def _mebibytes(bits: int) -> float:
    """Of the dense weights and statistics."""
    return _parameters() * bits / 8 / 2**20


def _mb(row: str) -> float:
    return TABLE_8[row, "MB"]


CHECKS = (
    Check(
        "size of the base model",
        "table 8",
        _mb(_BASE),
        lambda: 4e-6 * _parameters(),
        "1,275,079 floats of 32 bits are 5.10 MB.",
        tolerance=0.005,
        unit="MB",
    ),
    Check(
        "size of the base model with the state of Adam",
        "table 8",
        _mb(_BASE),
        lambda: _with_adam() / 1.048576,
        "Three times the weights, in MiB; the rest is the file's own overhead. The base was saved with its optimizer "
        "and the others without it, so most of the reduction is the optimizer.",
        tolerance=0.2,
        unit="MB",
    ),
    Check(
        "size of the pruned model",
        "table 8",
        _mb(_PRUNED),
        lambda: 4e-6 * _parameters() / 1.048576,
        "The dense weights without an optimizer, in MiB: 95 % zeros saved nothing.",
        tolerance=0.1,
        unit="MB",
    ),
    Check(
        "size at 16 bits",
        "table 8",
        _mb(_HALF),
        lambda: 2e-6 * _parameters() / 1.048576,
        "Half of the dense weights, in MiB: 16-bit floats (the text says integers).",
        tolerance=0.02,
        unit="MB",
    ),
    Check(
        "size at 8 bits, pruned",
        "table 8",
        _mb(_BYTES),
        lambda: 1e-6 * _parameters() / 1.048576,
        "A quarter of the dense weights, in MiB: again nothing from the zeros.",
        tolerance=0.03,
        unit="MB",
    ),
    *(
        Check(
            f"efficiency factor of {row}",
            "table 8",
            TABLE_8[row, "efficiency factor"],
            lambda row=row: _mb(_BASE) / _mb(row),  # type: ignore[misc]  # binds the loop's value
            "Size of the base file over this file's: three parts of it are the optimizer.",
            tolerance=0.005,
        )
        for row in (_PRUNED, _HALF, _BYTES)
    ),
    Check(
        "efficiency factor of the prototype",
        "section 4",
        TEXT["efficiency factor", "value"],
        lambda: _mb(_BASE) / TEXT["MB", "value"],
        "Size of the base file over 0.39 MB.",
        tolerance=0.005,
    ),
    Check(
        "size reduction of the prototype",
        "section 4",
        TEXT["size reduction %", "value"],
        lambda: 100 * (1 - TEXT["MB", "value"] / _mb(_BASE)),
        "From 14.74 MB to 0.39 MB; the rounding of 0.39 allows 0.03 more.",
        tolerance=0.034,
        unit="%",
    ),
    Check(
        "size reduction of the prototype on one footing",
        "section 4",
        TEXT["size reduction %", "value"],
        lambda: 100 * (1 - TEXT["MB", "value"] / (4e-6 * _parameters() / 1.048576)),
        "From the weights alone, without the optimizer, to 0.39 MB.",
        tolerance=0.005,
        unit="%",
    ),
    Check(
        "decrease in accuracy at 8 bits",
        "table 8",
        TABLE_8[_BYTES, "decrease in accuracy %"],
        lambda: 100 * (1 - TABLE_8[_BYTES, "accuracy"] / TABLE_8[_BASE, "accuracy"]),
        "From the table's own accuracies, relative; in percentage points it is 1.29.",
        tolerance=0.005,
        unit="%",
    ),
    Check(
        "accuracy of the final prototype",
        "section 4",
        TEXT["accuracy", "value"],
        lambda: TABLE_8[_BYTES, "accuracy"],
        "The final prototype is pruned and at 8 bits, which table 8 gives another accuracy.",
        tolerance=0.00005,
    ),
    Check(
        "images of each class after oversampling",
        "table 6",
        TABLE_6["Nevus", "after"],
        lambda: 0.8 * TABLE_4["Nevus", "images"],
        "80 % of the nevi; the draw of an unstratified split explains three more. Seven equal counts say that the "
        "training part was oversampled after the split; an accuracy of 0.98 says that it was not.",
        tolerance=38.0,
        unit="images",
    ),
    Check(
        "AUC of the final model",
        "section 4",
        TEXT["AUC, section 4", "value"],
        lambda: TEXT["AUC, abstract", "value"],
        "The abstract gives 0.99.",
        tolerance=0.005,
    ),
)

_PROTOTYPE = "optimized prototype"
MEASURED: dict[Cell, Measured] = {
    ("8", _BASE, "accuracy"): Measured(_BASE, "accuracy"),
    **{("8", form, "accuracy"): Measured(_BASE, "accuracy", variant=form) for form in (_PRUNED, _HALF, _BYTES)},
    **{
        ("text", row, "value"): Measured(_BASE, metric, variant=_PROTOTYPE)
        for row, metric in (
            ("accuracy", "accuracy"),
            ("precision", "precision.weighted"),
            ("recall", "recall.weighted"),
            ("F1", "f1.weighted"),
            ("AUC, abstract", "auc.macro"),
        )
    },
}
_DX = dict(zip(_CLASSES, ("nv", "mel", "bkl", "bcc", "akiec", "vasc", "df"), strict=True))
COUNTED: dict[Cell, str] = {
    **{("4", row, "images"): dx for row, dx in _DX.items()},
    **{("6", row, "before"): dx for row, dx in _DX.items()},
}
RECOMPUTED: dict[Cell, Callable[[], float]] = {
    **{("6", row, "after"): lambda: 0.8 * TABLE_4["Nevus", "images"] for row in _CLASSES},
    ("8", _BASE, "MB"): lambda: _with_adam() / 1.048576,
    ("8", _PRUNED, "MB"): lambda: _mebibytes(32),
    ("8", _HALF, "MB"): lambda: _mebibytes(16),
    ("8", _BYTES, "MB"): lambda: _mebibytes(8),
    ("8", _BYTES, "decrease in accuracy %"): lambda: (
        100 * (1 - TABLE_8[_BYTES, "accuracy"] / TABLE_8[_BASE, "accuracy"])
    ),
    ("text", "size reduction %", "value"): lambda: 100 * (1 - TEXT["MB", "value"] / _mb(_BASE)),
    ("text", "efficiency factor", "value"): lambda: _mb(_BASE) / TEXT["MB", "value"],
}

_TOTAL_STEPS = 25 * 7 * 5_367 / 128
"""Of the paper's training: 25 epochs of 7 classes of 5,367 images in batches of 128."""
_PRUNE = {
    "name": "prune",
    "params": {
        "initial": TEXT["sparsity at first %", "value"] / 100,
        "final": TEXT["sparsity at last %", "value"] / 100,
        "shares": [
            TEXT["pruning from step", "value"] / _TOTAL_STEPS,
            TEXT["pruning to step", "value"] / _TOTAL_STEPS,
        ],
    },
}
_FP16, _INT8 = ({"name": name, "params": {"enforce": False}} for name in ("fp16", "int8"))
"""Measured whatever they lose: the paper shipped them."""
VARIANTS = (
    Variant(
        _BASE,
        _BASE,
        (),
        _mb(_BASE),
        lambda: _with_adam() / 1.048576,
        "32-bit weights and the two moments of Adam",
        TABLE_8[_BASE, "accuracy"],
    ),
    Variant(
        _PRUNED, _BASE, (_PRUNE,), _mb(_PRUNED), lambda: _mebibytes(32), "32-bit weights", TABLE_8[_PRUNED, "accuracy"]
    ),
    Variant(_HALF, _BASE, (_FP16,), _mb(_HALF), lambda: _mebibytes(16), "16-bit weights", TABLE_8[_HALF, "accuracy"]),
    Variant(
        _BYTES,
        _BASE,
        (_PRUNE, _INT8),
        _mb(_BYTES),
        lambda: _mebibytes(8),
        "8-bit weights",
        TABLE_8[_BYTES, "accuracy"],
    ),
    Variant(
        _PROTOTYPE,
        _BASE,
        (_PRUNE, _INT8, "zst"),
        TEXT["MB", "value"],
        None,
        "pruned 8-bit weights, losslessly compressed",
        TEXT["accuracy", "value"],
    ),
)

STUDY = Study(
    id="compressed_cnn",
    title="Convolutional Neural Network Model for Skin Cancer Diagnosis in a Dermatological Center",
    citation="Cabrejos-Yalán, Rodriguez, Mathematical Modelling of Engineering Problems 11(11), 2024, "
    "doi:10.18280/mmep.111112",
    systems=(
        System(
            _BASE,
            "compressed_cnn",
            PublishedRecipe(
                epochs=25,
                batch_size=128,
                schedule="plateau",
                plateau_patience=2,
                plateau_factor=0.5,
                plateau_floor=1e-5,
                oversampling=True,
                normalisation="unit",
            ),
            left_open=(
                "learning rate: not stated; Adam's usual 0.001 is assumed",
                "what ReduceLROnPlateau monitors: table 7 prints 5.50; validation accuracy is assumed",
                "rates of dropout, and where: not stated; 0.2 after the flattening and after dense 256",
                "coefficients of L1 and L2, and where: not stated; none are assumed",
                "augmentation: named in the conclusion alone; none is assumed",
                "whether oversampling ran before or after the split: not stated; all three readings are measured",
            ),
        ),
    ),
    protocols=("oversampled_then_split_leaky", "image_level_leaky"),
    tables=(TABLE_4, TABLE_6, TABLE_7, TABLE_8, TEXT),
    figures=(
        Figure("1", "class_distribution"),
        Figure("3", "accuracy_curve", _BASE),
        Figure("4", "loss_curve", _BASE),
        Figure("5", "roc", _BASE),
    ),
    checks=CHECKS,
    recomputed=RECOMPUTED,
    counted=COUNTED,
    measured=MEASURED,
    variants=VARIANTS,
    remarks=(
        "Figure 5, the ROC curve, is captioned 'Cavity geometry'.",
        "The images are said to come from a dermatological center; their counts are HAM10000's, class by class.",
        "Actinic keratoses are called squamous cell carcinoma, and benign keratoses keratosis.",
        "RandomOverSampler is said to generate synthetic samples; it repeats images.",
        "Section 3.4 quantizes to 16-bit integers; the file has the size of 16-bit floats, which is what the named "
        "converter writes.",
        "Whether the network was pruned while or after it was trained is not said. Here it is fine-tuned, with the "
        "paper's schedule at the same shares of the steps, half as long as it was trained and at the same rate.",
        "Section 4's 0.39 MB is the pruned 8-bit file after a general compressor.",
        "Validation and test are one part: the rate is lowered by watching the images that are reported on.",
    ),
)

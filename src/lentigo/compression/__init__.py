"""Make a trained network smaller, and show what that costs.

>>> from lentigo import compression, training
>>> compression.compress(training.load_run("runs/first"), "prune+int8", "compressed/first")
"""

from lentigo.errors import needs_extra

with needs_extra("lentigo.compression", "compress"):
    from lentigo.compression.differences import ALLOWED, Allowed, Difference
    from lentigo.compression.gate import Gate, GateReport, check
    from lentigo.compression.pipeline import Compressed, compress
    from lentigo.compression.quantization import Sensitivity, cluster, learned_ranges, quantize, sensitivity
    from lentigo.compression.recipe import CompressionRecipe
    from lentigo.compression.record import CompressionRecord, StepRecord
    from lentigo.compression.soft_labels import build_soft_labels, soft_labels_from
    from lentigo.compression.sparsity import Sparsity, sparsity
    from lentigo.compression.steps import Step
    from lentigo.compression.structured import prune_structured
    from lentigo.compression.targets import Target
    from lentigo.compression.taught import TaughtTeachers
    from lentigo.compression.teacher_specs import TeacherSpec, load_teachers
    from lentigo.compression.teachers import train_teachers, train_teachers_from
    from lentigo.compression.verify import Verification, verify, verify_files
    from lentigo.training.soft_labels import SoftLabels, load_soft_labels

__all__ = [
    "ALLOWED",
    "Allowed",
    "Compressed",
    "CompressionRecipe",
    "CompressionRecord",
    "Difference",
    "Gate",
    "GateReport",
    "Sensitivity",
    "SoftLabels",
    "Sparsity",
    "Step",
    "StepRecord",
    "Target",
    "TaughtTeachers",
    "TeacherSpec",
    "Verification",
    "build_soft_labels",
    "check",
    "cluster",
    "compress",
    "learned_ranges",
    "load_soft_labels",
    "load_teachers",
    "prune_structured",
    "quantize",
    "sensitivity",
    "soft_labels_from",
    "sparsity",
    "train_teachers",
    "train_teachers_from",
    "verify",
    "verify_files",
]

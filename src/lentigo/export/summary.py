"""What an export came to, for people."""

from lentigo.evaluation.catalogue import PRIORS
from lentigo.export.lite import LiteFile
from lentigo.runtime import Bundle

__all__ = ["summarise"]


def summarise(bundle: Bundle | LiteFile) -> str:
    """Where the file is, what was measured with it, what was verified and what it has no threshold for."""
    if isinstance(bundle, LiteFile):
        return _summary_of(bundle)
    described = bundle.metadata
    lines = [f"Wrote {bundle.path} ({bundle.path.stat().st_size / 1e6:.2f} MB)."]
    for view, values in described.metrics.items():
        shown = ", ".join(f"{name} {v['value']:.3f}" for name, v in values.items() if v["value"] is not None)
        lines.append(f"Evaluated with this file on its test part, {PRIORS[view]}: {shown}.")
    if parity := described.parity:
        lines.append(
            f"Verified against the network on {parity['images']} images: probabilities differ by at most "
            f"{parity['largest_difference']:.1e}, the top class is the same on {parity['same_top_class']:.1%}."
        )
    for point in described.operating_points:
        lines.append(
            f"Threshold for {point.target}: {point.threshold:.4f} (sensitivity {point.target_sensitivity:.2f} on "
            f"{point.validation_images} validation images)."
        )
    lines += [f"No threshold for {target}: {reason}" for target, reason in described.no_operating_point.items()]
    if not bundle.has_maps:
        lines.append("This network has no exact class-activation maps: it can't draw heat maps.")
    return "\n".join([*lines, f"Next: lentigo classify --model {bundle.path} IMAGE"])


def _summary_of(lite: LiteFile) -> str:
    """The same of a .tflite file."""
    found = lite.parity
    images = f"{found.images} {'real' if lite.real else 'drawn'} images"
    lines = [
        f"Wrote {lite.path} ({lite.path.stat().st_size / 1e6:.2f} MB, {lite.precision}).",
        f"Run by LiteRT on {images}: probabilities differ from the bundle's by at most {found.largest_difference:.1e}, "
        f"the top class is the same on {found.same_top_class:.1%}.",
        "Its input is the central square, resized as lentigo.runtime.squares does it: float32, values 0 to 255.",
    ]
    if lite.precision == "int8":
        lines.append("It has no thresholds: those of the bundle were chosen with other probabilities.")
    if lite.precision == "int8" and not lite.real:
        lines.append("Drawn images say little of 8-bit weights: name real ones with --data to have it checked on them.")
    return "\n".join(lines)

"""What an export came to, for people."""

from lentigo.runtime import Bundle

__all__ = ["summarise"]


def summarise(bundle: Bundle) -> str:
    """Where the file is, what was measured with it, what was verified and what it has no threshold for."""
    described = bundle.metadata
    lines = [f"Wrote {bundle.path} ({bundle.path.stat().st_size / 1e6:.2f} MB)."]
    for view, values in described.metrics.items():
        shown = ", ".join(f"{name} {v['value']:.3f}" for name, v in values.items() if v["value"] is not None)
        lines.append(f"Evaluated with this file on its test part, {view.replace('_', ' ')}: {shown}.")
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

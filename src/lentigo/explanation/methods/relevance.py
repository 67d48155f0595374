"""Layer-wise relevance propagation by captum, on a graph in which every step has a rule."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import needs_extra
from lentigo.explanation.methods.registry import register

__all__ = ["lrp"]


@register("network")
def lrp(model: Any, image: NDArray[np.uint8], target: int) -> NDArray[np.float32]:
    """LRP (Bach et al., PLOS ONE 2015), epsilon rule: the logit, handed back layer by layer to the pixels.

    Rules that favour positive weights need activations that are nowhere below 0, which those of MobileNets are: there
    they explode. Of a network with one output, benign gets the negative of what malignant gets.

    Args:
        model: with a network that can be traced, of convolutions, linear layers, batch norms, pools, additions and
            activations; others, such as transformers and gates that multiply, are refused.
        image: uint8 [H, W, 3].
        target: position of the diagnosis.

    Returns:
        Relevance, summed over the channels [S, S].

    Raises:
        RunError: the network has steps without a rule.
    """
    with needs_extra("The method lrp", "explain"):
        from captum.attr import LRP
    import torch

    from lentigo.explanation.relevance_graph import give_rules

    x = (model.input(image) - model.plain.mean) / model.plain.std
    graph = model.relevance_graph
    found = []
    for dims in model.mirrors:
        give_rules(graph)
        relevance = LRP(graph).attribute(x.flip(dims).requires_grad_(), target=0 if model.single else target)
        found.append(relevance[0].sum(0)[None, None].flip(dims)[0, 0])
    values = torch.stack(found).mean(0).detach().numpy()
    return -values if model.single and target == 0 else values

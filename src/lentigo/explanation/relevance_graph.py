"""A network as a graph of modules, batch norms folded into convolutions, for layer-wise relevance propagation.

captum's LRP knows modules only. Additions, ReLUs and means that a network's code does by itself are made modules here;
whatever else computes is refused, since relevance would pass through it wrongly and without a word.
"""

import copy
import operator
from contextlib import suppress
from typing import Any

import torch
from torch import fx, nn
from torch.fx.experimental.optimization import fuse
from torch.nn import functional as F

from lentigo.errors import RunError

__all__ = ["give_rules", "relevance_graph"]

_ADDITIONS = {operator.add, operator.iadd, torch.add, "add", "add_"}
_RELUS = {torch.relu, F.relu, "relu", "relu_"}
_MEANS = {torch.mean, "mean"}
_SHAPES = {torch.flatten, "flatten", "view", "reshape", "size", "contiguous", "dropout", F.dropout, getattr}
_ACTIVATIONS = (nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.LeakyReLU, nn.ELU)
"""Relevance passes through what works on each value by itself, as it does through a ReLU."""
_KNOWN = (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout)


def relevance_graph(network: nn.Module) -> fx.GraphModule:
    """A copy of a network in which every step is a module that has a rule.

    Raises:
        RunError: the network can't be traced, or has steps without a rule.
    """
    from captum.attr._utils.custom_modules import Addition_Module

    try:
        traced: Any = fx.symbolic_trace(copy.deepcopy(network).eval())
    except Exception as error:  # code that can't be traced fails in many ways
        raise _refused(f"its code can't be traced ({error})") from error
    with suppress(Exception):  # only a simplification: batch norms have a rule of their own
        traced = fuse(traced)
    for node in list(traced.graph.nodes):
        many = len([a for a in node.args if isinstance(a, fx.Node)])
        if node.op == "call_module":
            _simplify(traced, node)
        elif node.op in ("call_function", "call_method"):
            if node.target in _ADDITIONS and many == 2:
                _put(traced, node, Addition_Module(), node.args[:2])
            elif node.target in _RELUS:
                _put(traced, node, nn.ReLU(), node.args[:1])
            elif node.target in _MEANS and _over_space(node):
                pooled = _put(traced, node, nn.AdaptiveAvgPool2d(1), node.args[:1])
                if not node.kwargs.get("keepdim", len(node.args) > 2 and node.args[2]):
                    _flattened(traced, pooled)
            elif node.target not in _SHAPES:
                raise _refused(f"{getattr(node.target, '__name__', node.target)} has no rule")
    traced.delete_all_unused_submodules()
    traced.graph.lint()
    traced.recompile()
    return traced.eval()


def give_rules(graph: nn.Module) -> None:
    """Give each layer that needs one its rule; captum takes them away again."""
    from captum.attr._utils.lrp_rules import EpsilonRule, IdentityRule

    for module in graph.modules():
        if isinstance(module, _ACTIVATIONS):
            module.rule = IdentityRule()
        elif isinstance(module, nn.Conv2d | nn.Linear):
            module.rule = EpsilonRule(1e-6)


def _simplify(traced: fx.GraphModule, node: fx.Node) -> None:
    """Leave out what does nothing, and refuse modules without a rule."""
    module: Any = traced.get_submodule(str(node.target))
    if isinstance(module, nn.Identity | nn.Dropout):
        node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
        traced.graph.erase_node(node)
    elif isinstance(module, nn.Flatten):
        with traced.graph.inserting_after(node):
            flat = traced.graph.call_function(torch.flatten, (node.args[0], 1))
        node.replace_all_uses_with(flat)
        traced.graph.erase_node(node)
    elif not isinstance(module, (*_KNOWN, *_ACTIVATIONS)):
        raise _refused(f"{type(module).__name__} has no rule")
    elif getattr(module, "inplace", False):
        module.inplace = False
    if isinstance(module, nn.ReLU | nn.ReLU6) and len([n for n in traced.graph.nodes if n.target == node.target]) > 1:
        # One module that is called several times needs an instance for each.
        _put(traced, node, type(module)(), node.args[:1])


def _put(traced: fx.GraphModule, node: fx.Node, module: nn.Module, args: tuple[Any, ...]) -> fx.Node:
    """A module instead of a step."""
    name = f"step_{sum(1 for _ in traced.graph.nodes)}_{node.name}"
    traced.add_submodule(name, module)
    with traced.graph.inserting_after(node):
        new = traced.graph.call_module(name, args)
    node.replace_all_uses_with(new)
    traced.graph.erase_node(node)
    return new


def _flattened(traced: fx.GraphModule, node: fx.Node) -> None:
    with traced.graph.inserting_after(node):
        flat = traced.graph.call_function(torch.flatten, (node, 1))
    node.replace_all_uses_with(flat, delete_user_cb=lambda user: user is not flat)


def _over_space(node: fx.Node) -> bool:
    dims = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    return isinstance(dims, tuple | list) and tuple(dims) in ((2, 3), (-2, -1), (-1, -2))


def _refused(why: str) -> RunError:
    return RunError(
        f"Layer-wise relevance propagation can't pass through this network: {why}.",
        "Use integrated_gradients or another method.",
    )

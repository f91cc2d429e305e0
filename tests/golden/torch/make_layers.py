"""The numbers that PyTorch gives for our layers: run where torch is installed, this writes layers.json beside it.

Each case is a network in our words, with x, targets, and parameters under our names; `values` are what PyTorch
computes, and `gradients` what autograd makes of them. All in double precision, with torch 2.13.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

Tensors = dict[str, Any]
Case = tuple[Any, Tensors, Tensors]
"""The logits, the parameters by our names, and further values to compare."""

torch.set_default_dtype(torch.float64)
cases: dict[str, Any] = {}


def case(net: str, classes: list[Any], tokens: int = 0, **more: Any) -> Callable[[Callable[[Any], Case]], None]:
    """Run a network on x drawn in the shape of its first word; `more` is stored as it is."""

    def run(forward: Callable[[Any], Case]) -> None:
        torch.manual_seed(len(cases))
        y = torch.tensor(classes)
        size = (len(y), *map(int, net.split()[0].split("x")))
        x = torch.randint(tokens, size) if tokens else torch.randn(size, requires_grad=True)
        logits, params, values = forward(x)
        for tensor in (*params.values(), *values.values()):
            if tensor.requires_grad:
                tensor.retain_grad()
        loss = F.cross_entropy(logits.flatten(0, -2), y.flatten())
        loss.backward()
        wanted = params if tokens else {"x": x, **params}
        cases[forward.__name__] = {
            "net": net,
            "x": x.tolist(),
            "y": classes,
            **more,
            "params": listed(params),
            "values": listed({**values, "L": loss}),
            "gradients": listed({name: tensor.grad for name, tensor in wanted.items()}),
        }

    return run


def listed(tensors: Tensors) -> dict[str, Any]:
    return {name: tensor.tolist() for name, tensor in tensors.items()}


def drawn(*shape: int) -> Any:
    return torch.randn(shape, requires_grad=True)


def dense(number: int, out: int, size: int) -> Tensors:
    return {f"W{number}": drawn(out, size), f"b{number}": drawn(out)}


def linear(params: Tensors, number: int, a: Any) -> Any:
    return F.linear(a, params[f"W{number}"], params[f"b{number}"])


def attend(a: Any, number: int, heads: int, causal: bool = False) -> tuple[Any, Any, Tensors]:
    """nn.MultiheadAttention with weights of ours: its output, its weights, and ours by name."""
    size = a.shape[-1]
    found = {
        f"{kind}{part}{number}": drawn(size, *shape) for part in "qkvo" for kind, shape in (("W", [size]), ("b", []))
    }
    layer = nn.MultiheadAttention(size, heads, batch_first=True)
    del layer.in_proj_weight, layer.in_proj_bias, layer.out_proj.weight, layer.out_proj.bias
    layer.in_proj_weight = torch.cat([found[f"W{part}{number}"] for part in "qkv"])
    layer.in_proj_bias = torch.cat([found[f"b{part}{number}"] for part in "qkv"])
    layer.out_proj.weight, layer.out_proj.bias = found[f"Wo{number}"], found[f"bo{number}"]
    mask = torch.triu(torch.ones(a.shape[1], a.shape[1], dtype=torch.bool), 1) if causal else None
    out, weights = layer(a, a, a, attn_mask=mask, average_attn_weights=False)
    return out, weights, found


def attention(a: Any, heads: int, causal: bool = False) -> Case:
    out, weights, params = attend(a, 1, heads, causal)
    params |= dense(2, 2, a.shape[-1])
    return linear(params, 2, out), params, {"w1": weights, "out1": out}


@case("3x4 attention dense2 softmax", [[0, 1, 1], [1, 0, 1]])
def attention_of_one_head(x: Any) -> Case:
    return attention(x, 1)


@case("3x4 attention(heads=2) dense2 softmax", [[0, 1, 1], [1, 0, 1]])
def attention_of_two_heads(x: Any) -> Case:
    return attention(x, 2)


@case("4x4 attention(heads=2, causal=1) dense2 softmax", [[0, 1, 1, 0], [1, 0, 1, 1]])
def causal_attention(x: Any) -> Case:
    return attention(x, 2, causal=True)


def layer_norm(x: Any) -> Case:
    size = x.shape[-1]
    params = {"g1": drawn(size), "b1": drawn(size), **dense(2, 3, size)}
    norm = F.layer_norm(x, (size,), params["g1"], params["b1"])
    return linear(params, 2, norm), params, {"norm1": norm}


@case("5 layernorm dense3 softmax", [0, 2])
def layernorm_of_rows(x: Any) -> Case:
    return layer_norm(x)


@case("3x4 layernorm dense3 softmax", [[0, 2, 1], [1, 1, 0]])
def layernorm_of_places(x: Any) -> Case:
    return layer_norm(x)


def batch_norm(x: Any, size: int, classes: int, training: bool) -> Case:
    """With running statistics from earlier batches; `running_mean1_new` is what the batch makes of them."""
    channels = x.shape[1]
    params = {"g1": drawn(channels), "b1": drawn(channels), **dense(2, classes, size)}
    mean, var = torch.randn(channels), torch.rand(channels) + 0.5
    before = {"running_mean1": mean.clone(), "running_var1": var.clone()}
    norm = F.batch_norm(x, mean, var, params["g1"], params["b1"], training)
    after = {"running_mean1_new": mean, "running_var1_new": var} if training else {}
    return linear(params, 2, norm.flatten(1)), params, {"norm1": norm, **before, **after}


@case("3 batchnorm dense2 softmax", [0, 1, 1, 0])
def batchnorm_of_units(x: Any) -> Case:
    return batch_norm(x, 3, 2, True)


@case("2x2x3 batchnorm flatten dense2 softmax", [0, 1, 1])
def batchnorm_of_channels(x: Any) -> Case:
    return batch_norm(x, 12, 2, True)


@case("2x2x3 batchnorm flatten dense2 softmax", [0], used=True)
def batchnorm_in_use(x: Any) -> Case:
    return batch_norm(x, 12, 2, False)


@case("2x5x6 conv3(3, stride=2, pad=1) relu flatten dense2 softmax", [0, 1])
def convolution(x: Any) -> Case:
    params = {"W1": drawn(3, 2, 3, 3), "b1": drawn(3), **dense(2, 2, 27)}
    z = F.conv2d(x, params["W1"], params["b1"], stride=2, padding=1)
    return linear(params, 2, F.relu(z).flatten(1)), params, {"z1": z}


def pooled(x: Any, p: Any) -> Case:
    params = dense(1, 2, 4)
    return linear(params, 1, p.flatten(1)), params, {"p1": p}


@case("1x4x5 pool(2) flatten dense2 softmax", [0, 1])
def max_pooling(x: Any) -> Case:
    return pooled(x, F.max_pool2d(x, 2))


@case("1x4x5 avgpool(2) flatten dense2 softmax", [0, 1])
def average_pooling(x: Any) -> Case:
    return pooled(x, F.avg_pool2d(x, 2))


@case("3 embedding5x4 dense2 softmax", [[0, 1, 1], [1, 0, 1]], tokens=3)
def embedding(x: Any) -> Case:
    params = {"W1": drawn(5, 4), **dense(2, 2, 4)}
    v = F.embedding(x, params["W1"])
    return linear(params, 2, v), params, {"v1": v}


@case("5 dense6 tanh dropout(0.4) dense2 softmax", [0, 1])
def dropout(x: Any) -> Case:
    params = {**dense(1, 6, 5), **dense(2, 2, 6)}
    mask = F.dropout(torch.ones(2, 6), 0.4)
    kept = torch.tanh(linear(params, 1, x)) * mask
    return linear(params, 2, kept), params, {"mask1": mask, "kept1": kept}


@case(
    "5 embedding7x4 positional residual(layernorm attention(heads=2, causal=1)) "
    "residual(layernorm dense8 relu dense4) layernorm dense7 softmax",
    [[1, 2, 3, 4, 0], [6, 6, 5, 2, 1]],
    tokens=7,
)
def transformer_block(x: Any) -> Case:
    params: Tensors = {"W1": drawn(7, 4), "P2": drawn(5, 4)}
    params |= {f"{name}{number}": drawn(4) for number in (3, 5, 8) for name in "gb"}
    params |= {**dense(6, 8, 4), **dense(7, 4, 8), **dense(9, 7, 4)}

    def norm(number: int, a: Any) -> Any:
        return F.layer_norm(a, (4,), params[f"g{number}"], params[f"b{number}"])

    pos = F.embedding(x, params["W1"]) + params["P2"]
    out, weights, more = attend(norm(3, pos), 4, heads=2, causal=True)
    params |= more
    first = pos + out
    second = first + linear(params, 7, F.relu(linear(params, 6, norm(5, first))))
    return linear(params, 9, norm(8, second)), params, {"w4": weights, "sum4": first, "sum7": second}


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(found)}" for name, found in cases.items()]
    path = Path(__file__).with_name("layers.json")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")

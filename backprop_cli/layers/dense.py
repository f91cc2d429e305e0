"""Dense: every output listens to every input."""

from typing import Any

from backprop_cli.kernel import kernel
from backprop_cli.layers.layer import layer


@layer("dense", sizes="o")
@kernel("z[n,o] = sum[i](W[o,i] * a[n,i]) + b[o]")
def dense(a: Any, W: Any, b: Any) -> Any:
    """a (N, I), W (O, I), b (O,) give z (N, O), as PyTorch's Linear lays them out."""
    return a.dot(W.T) + b


dense.mistake("no_bias", "sum[i](W[o,i] * a[n,i])", "The bias is missing.")


@dense.gradient("dW[o,i] = sum[n](dz[n,o] * a[n,i])")
def dW(dz: Any, a: Any) -> Any:
    return dz.mT @ a


dW.mistake("delta_only", "sum[n](dz[n,o])", "That is δ alone; what came in through this weight is missing as a factor.")
dW.mistake("input_only", "sum[n](a[n,i])", "That is the input alone; δ is missing as a factor.")


@dense.gradient("db[o] = sum[n](dz[n,o])")
def db(dz: Any) -> Any:
    return dz.sum(-2)


db.mistake("db_mean", "mean[n](dz[n,o])", "The samples' δ are summed here, not averaged: the mean is in L already.")


@dense.gradient("da[n,i] = sum[o](dz[n,o] * W[o,i])")
def da(dz: Any, W: Any) -> Any:
    return dz.dot(W)


da.mistake("no_weights", "sum[o](dz[n,o])", "That is the sum of the δ; each comes back through its weight.")
da.mistake("abs_weights", "sum[o](dz[n,o] * abs(W[o,i]))", "The weights' signs are lost.")
da.mistake("one_path_only", "dz[n,0] * W[0,i]", "That is the path through the first output alone; all paths add up.")
da.remark(
    "abs(sum[o](dz[n,o] * W[o,i])) < sum[o](abs(dz[n,o] * W[o,i])) / 10",
    "{da}: the paths through this unit pull in opposite directions and all but cancel.",
)


@layer("dense_no_bias", sizes="o")
@kernel("z[n,o] = sum[i](W[o,i] * a[n,i])")
def dense_no_bias(a: Any, W: Any) -> Any:
    """The same without a bias: a straight line through the origin."""
    return a @ W.T


dense_no_bias.gradients.update(W=dW, a=da)


@layer("dense", sizes="o")
@kernel("z[n,t,o] = sum[i](W[o,i] * a[n,t,i]) + b[o]")
def dense_each(a: Any, W: Any, b: Any) -> Any:
    """The same layer at every place of a sequence: a (N, T, I) gives z (N, T, O)."""
    return a @ W.T + b


@dense_each.gradient("dW[o,i] = sum[n,t](dz[n,t,o] * a[n,t,i])")
def each_dW(dz: Any, a: Any) -> Any:
    return dz.reshape(-1, dz.shape[-1]).T @ a.reshape(-1, a.shape[-1])


@dense_each.gradient("db[o] = sum[n,t](dz[n,t,o])")
def each_db(dz: Any) -> Any:
    return dz.sum((-3, -2))


@dense_each.gradient("da[n,t,i] = sum[o](dz[n,t,o] * W[o,i])")
def each_da(dz: Any, W: Any) -> Any:
    return dz @ W

"""Dense: every output listens to every input."""

from typing import Any

from backprop_cli.kernel import Kernel, kernel
from backprop_cli.layers.layer import layer

TURNED = "Rows and columns of W are exchanged: the weights of an output stand in its row."
TURNED_BACK = "Rows and columns of W are exchanged: what comes back to an input comes through its column."
TURNED_OUTER = "Rows and columns are exchanged: the row says which δ, the column which input."
FACTOR = "What the layer gives stands there as a factor; the slope is in δ already."
LAST = "That is the last place alone; the same weights are used at every one, and all add up."
FIRST_PATH = "That is the path through the first output alone; all paths add up."
LAST_PATH = "That is the path through the last output alone; all paths add up."
LAST_SAMPLE = "That is the last sample alone; all samples add up."
FIRST = "That is the first sample alone; all samples add up."


@layer("dense", sizes="o")
@kernel("z[n,o] = sum[i](W[o,i] * a[n,i]) + b[o]")
def dense(a: Any, W: Any, b: Any) -> Any:
    """a (N, I), W (O, I), b (O,) give z (N, O), as PyTorch's Linear lays them out."""
    return a.dot(W.T) + b


@dense.gradient("dW[o,i] = sum[n](dz[n,o] * a[n,i])")
def dW(dz: Any, a: Any) -> Any:
    return dz.mT @ a


@dense.gradient("db[o] = sum[n](dz[n,o])")
def db(dz: Any) -> Any:
    return dz.sum(-2)


@dense.gradient("da[n,i] = sum[o](dz[n,o] * W[o,i])")
def da(dz: Any, W: Any) -> Any:
    return dz.dot(W)


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


# --- typical mistakes, in one sample and at every place of a sequence ----------------------------------------------


def _mistakes(at: str, z: Kernel, dW: Kernel, db: Kernel, da: Kernel) -> None:
    """What goes wrong in such a layer and in its gradients; `at` is all axes but that of the units."""
    z.mistake("no_bias", f"sum[i](W[o,i] * a[{at},i])", "The bias is missing.")
    z.mistake("w_transposed_forward", f"sum[i](W[i,o] * a[{at},i]) + b[o]", TURNED)

    dW.mistake(
        "delta_only",
        f"sum[{at}](dz[{at},o])",
        "That is δ alone; what came in through this weight is missing as a factor.",
    )
    dW.mistake("input_only", f"sum[{at}](a[{at},i])", "That is the input alone; δ is missing as a factor.")
    dW.mistake("dw_transposed", f"sum[{at}](dz[{at},i] * a[{at},o])", TURNED_OUTER)
    dW.mistake("extra_activation", f"sum[{at}](after[{at},o] * dz[{at},o] * a[{at},i])", FACTOR)
    dW.mistake(
        "outer_of_sums",
        f"sum[{at}](dz[{at},o]) * sum[{at}](a[{at},i])",
        "That is a product of two sums; multiply within each sample first, then add up.",
    )
    dW.mistake("first_sample_only", f"sum[{at}](dz[{at},o] * a[{at},i] * (at[n] == 0))", FIRST)
    dW.mistake("last_sample_only", f"sum[{at}](dz[{at},o] * a[{at},i] * (at[n] == size[n] - 1))", LAST_SAMPLE)

    db.mistake(
        "db_mean", f"mean[{at}](dz[{at},o])", "The samples' δ are summed here, not averaged: the mean is in L already."
    )
    db.mistake(
        "no_bias", f"0 * sum[{at}](dz[{at},o])", "The bias moves the output too: its gradient is the sum of δ, not 0."
    )
    db.mistake("db_not_summed", f"sum[{at}](dz[{at},o] * (at[n] == 0))", FIRST)
    db.mistake(
        "db_total", f"sum[{at},i](dz[{at},i])", "That adds up all units; each bias gets the δ of its own unit alone."
    )
    for factor in (f"a[{at},o]", f"sum[i](a[{at},i])", f"sum[i](a[{at},i] * (at[i] == 0))"):
        db.mistake(
            "db_times_x", f"sum[{at}](dz[{at},o] * {factor})", "The input of a bias is 1: δ has no other factor here."
        )
    db.mistake("extra_activation", f"sum[{at}](after[{at},o] * dz[{at},o])", FACTOR)

    da.mistake("no_weights", f"sum[o](dz[{at},o])", "That is the sum of the δ; each comes back through its weight.")
    da.mistake("abs_weights", f"sum[o](dz[{at},o] * abs(W[o,i]))", "The weights' signs are lost.")
    da.mistake("w_not_transposed", f"sum[o](dz[{at},o] * W[i,o])", TURNED_BACK)
    da.mistake("one_path_only", f"sum[o](dz[{at},o] * W[o,i] * (at[o] == 0))", FIRST_PATH)
    da.mistake("one_path_only", f"sum[o](dz[{at},o] * W[o,i] * (at[o] == size[o] - 1))", LAST_PATH)


_mistakes("n", dense, dW, db, da)
_mistakes("n,t", dense_each, each_dW, each_db, each_da)
each_dW.mistake("last_step_only", "sum[n,t](dz[n,t,o] * a[n,t,i] * (at[t] == size[t] - 1))", LAST)
each_db.mistake("last_step_only", "sum[n,t](dz[n,t,o] * (at[t] == size[t] - 1))", LAST)
dense_no_bias.mistake("w_transposed_forward", "sum[i](W[i,o] * a[n,i])", TURNED)
db.mistake(
    "db_wrong_axis", "sum[i](dz[o,i])", "That adds up the units of each sample; add up the samples of each unit."
)

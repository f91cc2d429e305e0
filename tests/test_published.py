"""The engine against numbers that others have published.

A tolerance is half a unit of the last printed digit; where a source rounded on the way, its test says so.
Sources count weights in different ways: W here is (outputs, inputs), so a source's (inputs, outputs) is transposed.
"""

from dataclasses import replace

import numpy as np
import pytest

import backprop_cli as bp
from backprop_cli.layers import KERNELS


def close(actual, printed, digits):
    """Equal to within half a unit of the last of so many printed decimals."""
    np.testing.assert_allclose(np.squeeze(actual), printed, atol=0.5 * 10.0**-digits, rtol=0)


def train(grads, w, optimizer, lr, **state):
    """The weights after each step, when the gradients are the given ones.

    One linear output far above its target: the slope of the absolute error is 1 there, so that dW is the input.
    """
    net = f"{len(w)}-1"
    run = bp.step(
        net, activation=["identity"], bias=False, loss="mae", optimizer=optimizer, lr=lr, y=[-1e6], params={"W1": [w]}
    )
    problem = replace(run.problem, state=run.problem.state | {f"{slot}W1": value for slot, value in state.items()})
    weights = []
    for dw in grads:
        problem = replace(problem, x=np.array([dw]))
        trace = problem.run()
        np.testing.assert_array_equal(trace["dW1"], [dw])
        weights.append(trace["W1_new"][0])
        problem = problem.after(trace)
    return np.array(weights)


def judge(pred, y, loss, activation="identity", **options):
    """A network that only hands its input on to the activation and the loss."""
    size = np.shape(pred)[1]
    params = {"W1": np.eye(size), "b1": np.zeros(size)}
    return bp.step(f"{size}-{size}", activation=[activation], loss=loss, x=pred, y=y, params=params, **options)


# --- networks -------------------------------------------------------------------------------------------------------


def test_mazur():
    """Matt Mazur, "A Step by Step Backpropagation Example", 2015.

    https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/ (sigmoid, half the sum of squares, fixed
    biases). Two of its figures come from a program that updates W2 before it uses it for dW1, against the article's own
    rule: the error 0.291027924 after one step (0.291027774 by the rule) and the outputs after 10 000 steps, 0.015912196
    and 0.984065734. Its error after 10 000 steps, 0.0000351085, is by the rule and in the 10 000th forward pass; the
    engine gives it in `after(9999)`, which takes 6 s and is not repeated here.
    """
    t = bp.step("mazur")
    close(t["z1"][0, 0], 0.3775, 4)
    close(t["a1"], [0.593269992, 0.596884378], 9)
    close(t["z2"][0, 0], 1.105905967, 9)
    close(t["a2"][0, 0], 0.75136507, 8)
    close(t["a2"][0, 1], 0.772928465, 9)
    close(t["L"], 0.298371109, 9)

    close(t["da2"][0, 0], 0.74136507, 8)
    close(t["dz2"][0, 0], 0.138498562, 9)
    close(t["dW2"][0, 0], 0.082167041, 9)
    close(t["da1"][0, 0], 0.036350306, 9)
    close(t["dW1"][0, 0], 0.000438568, 9)

    (w1, w2), (w3, w4) = t["W1_new"]
    (w5, w6), (w7, w8) = t["W2_new"]
    close(w5, 0.35891648, 8)
    close([w6, w7, w8], [0.408666186, 0.511301270, 0.561370121], 9)
    close(w1, 0.149780716, 9)
    close([w2, w3, w4], [0.19956143, 0.24975114, 0.29950229], 8)


def test_three_two_one_sigmoids():
    """A course's hand-out, no author: "Appendix B: An Example of Back-propagation Algorithm", November 2011.

    Read in https://huggingface.co/datasets/nvidia/Nemotron-CC-Math-v1. 3-2-1, sigmoid, half the square, one
    sample, learning rate 0.9. Its delta is the negative gradient, -dz. Printed slip: the output of unit 5 is written
    1/(1 + e^0.1); the value 0.525 is that of e^-0.1. Later numbers are worked out with outputs rounded to three
    decimals, so that the deltas may be off by one in the last one.
    """
    params = {
        "W1": [[0.2, 0.4, -0.5], [-0.3, 0.1, 0.2]], "b1": [-0.4, 0.2],
        "W2": [[-0.3, -0.2]], "b2": [0.1],
    }  # fmt: skip
    t = bp.step("3-2-1", activation="sigmoid", loss="half_sse", lr=0.9, x=[1, 0, 1], y=[1], params=params)
    close(t["z1"], [-0.7, 0.1], 10)
    close(t["a1"], [0.332, 0.525], 3)
    close(t["z2"], -0.105, 3)
    close(t["a2"], 0.474, 3)

    np.testing.assert_allclose(-t["dz2"], [[0.1311]], atol=1e-4)
    np.testing.assert_allclose(-t["dz1"], [[-0.0087, -0.0065]], atol=1e-4)

    close(t["W2_new"], [-0.261, -0.138], 3)
    close(t["b2_new"], 0.218, 3)
    close(t["W1_new"], [[0.192, 0.4, -0.508], [-0.306, 0.1, 0.194]], 3)
    close(t["b1_new"], [-0.408, 0.194], 3)


def test_sklearn_worked_example():
    """scikit-learn, test_fit, "manually worked out example", by Issam H. Laradji (read at commit 05fda27f).

    https://github.com/scikit-learn/scikit-learn, sklearn/neural_network/tests/test_mlp.py. 3-2-1, sigmoid, binary
    cross-entropy, learning rate 0.1, and a penalty of half alpha times the squares: alpha is our l2. It goes on with
    a1 rounded to 3 decimals, dz2 to 3 and dz1 to 4 or 5, which the tolerances allow for. Slip: the third row of its dW1
    takes x3 as 0.6 instead of 0.7; that row is left out.
    """
    params = {
        "W1": [[0.1, 0.3, 0.5], [0.2, 0.1, 0]], "b1": [0.1, 0.1],
        "W2": [[0.1, 0.2]], "b2": [1.0],
    }  # fmt: skip
    t = bp.step("3-2-1", activation="sigmoid", loss="bce", l2=0.1, lr=0.1, x=[0.6, 0.8, 0.7], y=[0], params=params)
    close(t["a1"], [0.679178699175393, 0.574442516811659], 15)
    np.testing.assert_allclose(t["a2"], [[0.7654329236196236]], atol=3e-5)
    close(t["dz2"], 0.765, 3)
    np.testing.assert_allclose(t["dz1"], [[0.01667, 0.0374]], atol=5e-5)

    close(t["W1_new"][:, :2], [[0.098, 0.2956664], [0.195756, 0.096008]], 5)
    close(t["b1_new"], [0.098333, 0.09626], 5)
    np.testing.assert_allclose(t["W2_new"], [[0.04706, 0.154089]], atol=8e-5)
    close(t["b2_new"], 0.9235, 4)
    close(t.after()["a2"], 0.739, 3)


def test_relu_and_softmax():
    """g-eoj, "cs231n Two-Layer Backprop Mathematics Example": github.com/g-eoj/cs231n, two-layer-backprop-math.ipynb.

    A ReLU layer, of which one unit is off, then softmax and cross-entropy. dW1 and db1 are the notebook's program's.
    """
    params = {
        "W1": [[0.18, 0.1], [0.04, 0.22]], "b1": [0, 0],
        "W2": [[0.19, -0.02], [-0.1, -0.01], [0.1, 0.04]], "b2": [0, 0, 0],
    }  # fmt: skip
    t = bp.step("2-2-3", activation=["relu", "softmax"], loss="ce", x=[16, -6], y=[0, 0, 1], params=params)
    close(t["z1"], [2.28, -0.68], 10)
    close(t["a1"], [2.28, 0], 10)
    close(t["z2"], [0.4332, -0.228, 0.228], 10)
    close(t["L"], 1.051375468504, 12)

    dscores = [0.429052723714, 0.221490524653, -0.650543248367]
    close(t["dz2"], dscores, 12)
    close(t["db2"], dscores, 12)
    np.testing.assert_allclose(  # the notebook multiplied the rounded dscores by 2.28
        t["dW2"].T, [[0.978240210068, 0.504998396209, -1.483238606277], [0, 0, 0]], atol=2e-12
    )
    close(t["da1"], [-0.005683359796, -0.036817689655], 12)
    close(t["dz1"], [-0.005683359796, 0], 12)
    close(t["dW1"].T, [[-0.09093376, 0], [0.03410016, 0]], 8)
    close(t["db1"], [-0.00568336, 0], 8)


def test_batch_with_weight_decay():
    """Stanford CS231n, assignment 1 (2017), two_layer_net.ipynb: five samples, ReLU, softmax, mean loss, L2.

    Read in github.com/153079019shariq/cs231_spring2017, assignment1/two_layer_net.ipynb. Weights and data are NumPy's
    legacy random numbers, which never change. The penalty is reg times the squares, without a half: l2 = 2 reg.
    """
    draw = np.random.RandomState(0)
    W1, W2 = 0.1 * draw.randn(4, 10), 0.1 * draw.randn(10, 3)
    X = 10 * np.random.RandomState(1).randn(5, 4)
    params = {"W1": W1.T, "b1": np.zeros(10), "W2": W2.T, "b2": np.zeros(3)}
    t = bp.step("4-10-3", activation=["relu", "softmax"], loss="ce", l2=2 * 0.05, x=X, y=[0, 1, 2, 2, 1], params=params)
    scores = [
        [-0.81233741, -1.27654624, -0.70335995],
        [-0.17129677, -1.18803311, -0.47310444],
        [-0.51590475, -1.01354314, -0.8504215],
        [-0.15419291, -0.48629638, -0.52901952],
        [-0.00618733, -0.12435261, -0.15226949],
    ]
    close(t["z2"], scores, 8)
    close(t["L"], 1.30378789133, 11)


def test_tanh_neuron():
    """Andrej Karpathy, micrograd lecture, 2022: the gradients of one tanh neuron, drawn in the notebook.

    github.com/karpathy/nn-zero-to-hero, lectures/micrograd/micrograd_lecture_first_half_roughly.ipynb. There is no loss
    there, the output's gradient is 1; the absolute error from a target below gives just that.
    """
    params = {"W1": [[-3.0, 1.0]], "b1": [6.8813735870195432]}
    t = bp.step("2-1", activation="tanh", loss="mae", x=[2.0, 0.0], y=[-5.0], params=params)
    close(t["z1"], 0.8813735870195432, 14)
    close(t["a1"], 0.7071067811865476, 15)
    trace = t.problem.run(wrt=["x"])
    close(trace["da1"], 1.0, 4)
    close(trace["dz1"], 0.5, 4)
    close(trace["dW1"], [1.0, 0.0], 4)
    close(trace["db1"], 0.5, 4)
    close(trace["dx"], [-1.5, 0.5], 4)


def test_one_relu():
    """John S. Butler, "Back Progagation ReLU three inputs" (sic; read at commit 5859af13).

    https://github.com/john-s-butler-dit/NM_ML_DE_source, Chapter 08 - Intro to ANN, 10b_Back Progagation ReLU three
    inputs.ipynb. v · relu(w x + b) + c, half the square, learning rate 0.1; all four parameters after a step.
    """
    params = {"W1": [[0.5]], "b1": [0.2], "W2": [[0.3]], "b2": [0.1]}
    t = bp.step("1-1-1", activation=["relu", "identity"], loss="half_sse", lr=0.1, x=[2], y=[2], params=params)
    close([t["W1_new"].item(), t["b1_new"].item(), t["W2_new"].item()], [0.5924, 0.2462, 0.4848], 10)
    close(t["b2_new"], 0.254, 10)


# --- losses ---------------------------------------------------------------------------------------------------------


def test_soft_targets():
    """TensorFlow, testNpXent: tensorflow/tensorflow, tensorflow/python/kernel_tests/nn_ops/xent_op_test_base.py.

    Softmax and cross-entropy from logits, for a hard and a soft target; the sum over the batch. Slips in the last
    digit: log 4 = 1.38629… is printed 1.3862, and e²/31.193 − 0.5 = −0.26312 is printed −0.2632; hence a whole unit.
    """
    t = judge([[1, 1, 1, 1], [1, 2, 3, 4]], [[0, 0, 0, 1], [0, 0.5, 0.5, 0]], "ce", "softmax", reduction="sum")
    close(t["a1"], [[0.25, 0.25, 0.25, 0.25], [0.032, 0.087, 0.237, 0.644]], 3)
    np.testing.assert_allclose(t["dz1"], [[0.25, 0.25, 0.25, -0.75], [0.0321, -0.4129, -0.2632, 0.6439]], atol=1e-4)
    np.testing.assert_allclose(t["E"], [1.3862, 1.9401], atol=1e-4)


def test_keras_losses():
    """Keras, the unweighted tests of its losses: keras-team/keras, keras/src/losses/losses_test.py.

    Each is a batch, and the mean of its losses. 0.20046903 is what comes out in single precision with 1e-7 added to
    every probability; without, it is 0.20046918. 3.33338, 6.66668 and 0.057376 are printed with fewer digits, cut off.
    """
    pred, y = [[4, 8, 12], [8, 1, 3]], [[1, 9, 2], [-5, -2, 6]]
    close(judge(pred, y, "mse")["L"], 49.5, 10)
    close(judge(pred, y, "mae")["L"], 5.5, 10)

    pred, y = np.array([[0.9, 0.1, 0.2], [0.3, 0.8, 0.1], [0.1, 0.2, 0.7]]), np.eye(3)
    close(KERNELS["bce"].run({"a": pred, "y": y}).mean(), 0.20046903, 6)
    logits, y = [[10, -10, 10], [10, 10, -10]], [[1, 0, 1], [0, 1, 1]]
    t = judge(logits, y, "bce", "sigmoid")
    np.testing.assert_allclose(t["L"], 3.3333, atol=1e-4)
    np.testing.assert_allclose(t["E"], [0, 6.666], atol=1e-3)
    t = judge([[8, 1, 1], [0, 9, 1], [2, 3, 5]], np.eye(3), "ce", "softmax")
    np.testing.assert_allclose(t["L"], 0.0573, atol=1e-4)


def test_huber():
    """optax (DeepMind), HuberLossTest, "computed manually": google-deepmind/optax, optax/losses/_regression_test.py."""
    pred = np.array([-2.0, 0.5, 0.0, 0.5, 2.0, 4.0, 132.0])
    y = np.array([0.0, -0.5, 0.0, 1.0, 1.0, 2.0, 0.3])
    E = KERNELS["huber"].run({"a": pred[:, None], "y": y[:, None], "delta": 1.0})
    close(E, [1.5, 0.5, 0.0, 0.125, 0.5, 1.5, 131.2], 10)
    close(judge(pred[:, None], y, "huber")["E"], E, 10)


# --- activations ----------------------------------------------------------------------------------------------------

ACTIVATIONS = {
    "elu": [-0.95021296, -0.86466473, -0.63212055, 0.0, 1.0, 2.0, 3.0],
    "gelu": [-0.0040496886, -0.04550028, -0.15865526, 0.0, 0.8413447, 1.9544997, 2.9959502],
    "leaky_relu(0.5)": [-1.5, -1.0, -0.5, 0.0, 1.0, 2.0, 3.0],
    "relu": [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0],
    "sigmoid": [0.047425874, 0.11920292, 0.26894143, 0.5, 0.7310586, 0.8807971, 0.95257413],
    "silu": [-0.14227763, -0.23840584, -0.26894143, 0.0, 0.7310586, 1.7615942, 2.8577223],
    "softmax": [0.0015683004, 0.0042630825, 0.01158826, 0.031500153, 0.0856263, 0.23275642, 0.6326975],
    "softplus": [0.04858735, 0.12692802, 0.3132617, 0.6931472, 1.3132617, 2.126928, 3.0485873],
    "tanh": [-0.9950548, -0.9640276, -0.7615942, 0.0, 0.7615942, 0.9640276, 0.9950548],
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_axon_activations(name):
    """Axon (Elixir), the examples in its documentation: elixir-nx/axon, lib/axon/activations.ex; z = -3 … 3.

    They were computed in single precision, so the last digits are not all right; 2 in a million is allowed.
    """
    t = judge([[-3, -2, -1, 0, 1, 2, 3]], np.eye(7)[:1], "ce" if name == "softmax" else "sse", name)
    np.testing.assert_allclose(t["a1"][0], ACTIVATIONS[name], rtol=2e-6, atol=0)


# --- optimizers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "state", "printed"),
    [
        ("sgd", {}, [0.5, -1.0, -0.5, 3.0]),
        ("adam", {}, [0.5, 1.5, 2.5, 3.5]),
        ("adamw(weight_decay=0.004)", {}, [0.4980, 1.4960, 2.494, 3.492]),
        ("rmsprop(rho=0.9)", {}, [-0.5811, 0.4189, 1.4189, 2.4189]),
        ("adagrad", {"v": np.full((1, 4), 0.1)}, [0.5233, 1.5007, 2.5005, 3.5061]),
    ],
)
def test_keras_single_step(optimizer, state, printed):
    """Keras, test_single_step of each optimizer: keras-team/keras, keras/src/optimizers/*_test.py.

    Keras' defaults that differ from ours are given; its Adagrad starts from a sum of squares of 0.1. Its epsilons
    differ, too small to show.
    """
    (w,) = train([[1.0, 6.0, 7.0, 2.0]], [1.0, 2.0, 3.0, 4.0], optimizer, 0.5, **state)
    close(w, printed, 4)


KERAS_GRADS = [np.full(10, 0.01), *[np.arange(1, 11) / 10] * 4]
"""The gradients of Keras' test_correctness_with_golden: small ones first, then 0.1 … 1 again and again."""


def test_keras_adam():
    """Keras, Adam's test_correctness_with_golden: keras-team/keras, keras/src/optimizers/adam_test.py.

    With amsgrad, which changes nothing while the gradients grow. One column is printed for all ten weights, and
    compared to 0.0005; it is right to its four digits but for the first three weights, whose gradients are smallest.
    """
    w = train(KERAS_GRADS, np.ones(10), "adam", 0.001)
    printed = np.array([[0.999], [0.9982], [0.9974], [0.9965], [0.9955]])
    np.testing.assert_allclose(w, np.tile(printed, 10), atol=5e-4, rtol=0)
    close(w[:, 3:], np.tile(printed, 7), 4)


def test_keras_adagrad():
    """Keras, Adagrad's test_correctness_with_golden: keras-team/keras, keras/src/optimizers/adagrad_test.py."""
    w = train(KERAS_GRADS, np.ones(10), "adagrad(eps=1e-6)", 0.2, v=np.full((1, 10), 0.3))
    printed = [
        [0.9963, 0.9963, 0.9963, 0.9963, 0.9963, 0.9963, 0.9963, 0.9963, 0.9963, 0.9963],
        [0.9604, 0.9278, 0.9003, 0.8784, 0.8615, 0.8487, 0.8388, 0.8313, 0.8255, 0.8209],
        [0.9251, 0.8629, 0.8137, 0.7768, 0.7497, 0.7298, 0.7151, 0.704, 0.6956, 0.6891],
        [0.8903, 0.8012, 0.7342, 0.6862, 0.6521, 0.6277, 0.6099, 0.5967, 0.5867, 0.579],
        [0.856, 0.7422, 0.6604, 0.6037, 0.5644, 0.5367, 0.5168, 0.5021, 0.491, 0.4825],
    ]
    close(w, printed, 4)


def test_tensorflow_momentum():
    """TensorFlow, testLikeDistBeliefMom01: tensorflow/tensorflow, tensorflow/python/training/momentum_test.py.

    Ten steps, learning rate and momentum 0.1; four of the ten weights. Computed in single precision.
    """
    grads = [
        [0.00096264342, 0.17914793, 0.93945462, 0.41396621],
        [0.17075552, 0.88821375, 0.20873757, 0.25236958],
        [0.35077485, 0.47304362, 0.44412705, 0.44368884],
        [0.9694621, 0.75035888, 0.28171822, 0.83813518],
        [0.38578293, 0.8536852, 0.88722926, 0.66276771],
        [0.27885768, 0.76100707, 0.24625534, 0.81354135],
        [0.27233034, 0.056316052, 0.5039115, 0.24105175],
        [0.58697265, 0.2494842, 0.08106143, 0.39954534],
        [0.8215279, 0.41994119, 0.95172721, 0.68000203],
        [0.68297005, 0.67758518, 0.1748755, 0.13266537],
    ]
    printed = [
        [-9.6264346e-05, -0.017914793, -0.093945466, -0.041396622],
        [-0.017181443, -0.10852765, -0.12421377, -0.070773244],
        [-0.053967446, -0.1648933, -0.1716533, -0.1180798],
        [-0.15459226, -0.24556576, -0.20456907, -0.20662397],
        [-0.20323303, -0.33900154, -0.29658359, -0.28175515],
        [-0.23598288, -0.42444581, -0.33041057, -0.3706224],
        [-0.26649091, -0.43862185, -0.38418442, -0.40361428],
        [-0.32823896, -0.46498787, -0.39766794, -0.446868],
        [-0.41656655, -0.50961858, -0.49418902, -0.51919359],
        [-0.49369633, -0.58184016, -0.52132869, -0.5396927],
    ]
    w = train(grads, np.zeros(4), "momentum(mu=0.1)", 0.1)
    np.testing.assert_allclose(w, printed, rtol=3e-7, atol=0)

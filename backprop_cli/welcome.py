"""The pages that greet people and help them: texts, so that they are there at once, and little is loaded for them."""

from backprop_cli.language import tr
from backprop_cli.lines import fitted, terminal_width

COMMANDS = {
    "step": "Run one training step and show every number of it.",
    "check": "Check every gradient of a network, or somebody's claims.",
    "why": "Explain one number, with every path it takes to the loss.",
    "whatif": "Change a number and see what moves.",
    "train": "Train a network on data, and tell how it went.",
    "play": "Step through a training step: forward, back, why, predict.",
    "lesson": "Learn it, a lesson at a time, with questions.",
    "review": "What was learnt, asked again when it is due.",
    "progress": "What was answered so far: show, export, import, reset.",
    "exercise": "Make worksheets whose numbers tell mistakes apart.",
    "grade": "Mark a student's numbers, as a good teacher does.",
    "doctor": "Report on this installation and this terminal.",
    "help": "Help on commands, networks, layers, training, lessons and more.",
}
"""Every command and what it does, in a line."""

PAGE = """\
backprop shows every number of back-propagation with its formula, and proves it.

Usage: backprop COMMAND [OPTIONS]

Try these:
  backprop step --net 3-4-2          one training step of a small network
  backprop step mazur                a published example, to the last digit
  backprop why W1[1,1] mazur         one gradient, path by path, in words
  backprop check --net 784-128-10    every gradient of a large one, checked
  backprop train xor --epochs 500    a network that learns XOR from nothing
  backprop lesson next               learn it, a lesson at a time

Commands:
{commands}

Options:
  -h, --help     This page; after a command, help on it.
  -V, --version  The version.
  --lang zh      In Chinese; BACKPROP_LANG=zh does it for good.
"""

TOPICS = {
    "exit-codes": """\
Exit codes:
  0    done
  1    checked, and something is wrong: a gradient that disagrees
  2    the request makes no sense: unknown names, shapes that disagree, NaN
  3    a file is missing, unreadable, or not valid TOML, JSON, ...
  130  stopped with Ctrl-C
""",
    "networks": """\
Networks:
  3-4-2                                  dense layers, sigmoid
  3-4-2 --activation relu,softmax        one activation for each layer
  '4 dense8 relu dense3 softmax'         the general form
  mazur, article-3-4-2, logistic, xor    presets; also mnist-mlp, tabular
  small-cnn, mnist-cnn, lenet-cifar      presets with convolutions
  gru-lm, mini-transformer               presets for sequences
  mnist-cnn --tiny                       a small version of one, to be read
  --expr "f = (x + y) * z" --at x=-2,y=5,z=-4   an expression
  problem.toml                           a file:

    net = "2-2-2"
    activation = "sigmoid"
    loss = "half_sse"
    optimizer = "sgd"
    lr = 0.5
    x = [0.05, 0.10]
    y = [0.01, 0.99]
    [params]
    W1 = [[0.15, 0.20], [0.25, 0.30]]

Activations: identity sigmoid tanh relu leaky_relu elu gelu silu softplus
             softmax
Losses:      mse sse half_sse mae huber bce bce_sum ce
Optimizers:  sgd momentum nesterov rmsprop adagrad adam adamw

A file of numbers or of a problem may have up to 256 MiB.
""",
    "layers": """\
Layers, for the general form, after the shape of one sample:
  dense64                        a weighted sum for each of 64 units
  conv32(3, stride=1, pad=0)     32 windows of 3 x 3 over 1x28x28 or the like
  pool(2), avgpool(2)            the largest, or the mean, of each 2 x 2
  flatten                        an image as one row
  embedding64x32                 64 tokens, 32 numbers each; input: how many
  rnn64, gru64, lstm64           over a sequence; rnn64(last=1): its end alone
  attention(heads=2, causal=1)   each place of a sequence looks at the others
  positional                     adds a row of numbers to each place
  layernorm, batchnorm           mean 0 and deviation 1, then scaled
  dropout(0.5)                   left out by chance while training
  residual(layernorm dense8)     what is in the brackets, added to what came in
  relu, softmax, ...             activations; see: backprop help networks

  '1x28x28 conv8(3) relu pool(2) flatten dense10 softmax'
  '16 embedding64x32 gru64 dense64 softmax'

Weights lie as in PyTorch, so that numbers can be compared one to one.

Weights that are pruned or rounded: --prune 0.5, --quantize 8
A step shared out:   --shards 4, --clients 4, --dp clip=1,noise=0.5
""",
    "training": """\
Data, for backprop train --data:
  xor, spirals, moons, blobs   made by a rule: 'spirals(samples=600, noise=0.2)'
  sine                         made by a rule: a number and its sine
  digits                       1,797 images of 8 x 8 (Alpaydin 1998, CC BY 4.0)
  mnist.npz                    x_train, y_train, x_test, y_test; or x and y
  train-images-idx3-ubyte.gz   MNIST, its labels beside it; or their folder
  cifar-10-batches-bin         CIFAR-10 (binary), the folder or one of its files
  table.csv                    a header; the last column is the target
  book.txt                     a text, for a net that begins with an embedding

Schedules, for --schedule; several multiply:
  step(every=10, factor=0.1)   down every 10 epochs
  cosine(floor=0)              down along half a wave
  warmup(steps=100)            up over the first 100 steps
  plateau(5, factor=0.1)       down when the loss no longer falls for 5 epochs

Variants of images, for --augment; several in a row:
  shift(pixels=2)              moved by up to 2 pixels
  flip(share=0.5)              left and right exchanged in half of them

Weight decay: --l2 0.0001, or --optimizer 'adamw(weight_decay=0.01)'.
Fine-tuning: --params weights.npz --frozen layer1-2
""",
    "grading": """\
Worksheets and marking:
  backprop exercise new -o week3            a sheet, and its key
  backprop exercise new --roster class.csv -o week3    one for each name
  backprop exercise test week3/keys         try a key on made-up students
  backprop grade answers.toml --key mazur   mark numbers of a known problem
  backprop grade week3/sheets --key week3/keys    mark a whole class
  backprop grade answers.toml --key mazur --watch    again at every save

A filled sheet is TOML, JSON, CSV, Markdown tables, or lines such as
  dz1 = [0.0087, 0.00995]
  W1_new[1,2] = 0.1998
Names are addresses as everywhere; delta1 is dz1; slope1 is the slope of a1.

How it is marked:
  correct   as in the key, as far as the digits go, or as it comes of rounding
  carried   follows from an earlier slip of your own: full marks
  wrong     nothing explains it; the mistake is named if numbers prove it
  blank     nothing was typed
  invalid   no number; says why, and harms no other box
A slip costs one box. What is done differently but consistently is right:
another sign of every gradient that the update makes up for, 1/n in the update,
rows for columns.

--reveal none|verdict|diagnosis|value says how much is told; only value shows
what is right. --explain shows the arithmetic with the student's own numbers.

A key is a problem file with a table besides:
    [sheet]
    ask = ["backward", "W1_new[1,2]"]
    digits = 4
    points = { delta1 = 2 }

All the mistakes that are known: backprop doctor --mistakes
""",
    "lessons": """\
Lessons:
  backprop lesson            the list, and how each stands
  backprop lesson next       the first that is not done, where it was left
  backprop lesson 4          one of them; by number, name or folder
  backprop review            what is due again, with fresh numbers
  backprop progress          what was answered; export, import, reset
  backprop lesson notes 4    a lesson with your own answers, as Markdown

In a lesson: an answer, h (hint), show, why ADDRESS, new, or ? for more.

Lessons of your own, a folder each:
  backprop lesson new my-course/010-first
  backprop lesson preview my-course/010-first --from z --seed 9 --lang zh
  backprop lesson check my-course --strict
  backprop lesson my-course/010-first
""",
    "completion": """\
Completion of commands and options with the Tab key:
  bash   eval "$(_BACKPROP_COMPLETE=bash_source backprop)"
  zsh    eval "$(_BACKPROP_COMPLETE=zsh_source backprop)"
  fish   _BACKPROP_COMPLETE=fish_source backprop | source
Put the line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish to keep it.
""",
}
"""What `backprop help TOPIC` says."""


def greeting() -> str:
    """The page that says what there is, in the reader's language and as wide as the terminal."""
    commands = "\n".join(f"  {name:<8} {tr(text)}" for name, text in COMMANDS.items())
    return fitted(tr(PAGE, commands=commands), terminal_width())


def topic(name: str) -> str:
    """The page on one of the topics."""
    return fitted(tr(TOPICS[name]), terminal_width())

"""Where the program starts. The greeting needs nothing; everything else goes to the command line."""

import os
import sys

from backprop_cli.language import speak, wanted
from backprop_cli.welcome import greeting


def main() -> None:
    """The `backprop` command."""
    arguments = sys.argv[1:]
    speak(wanted(arguments, os.environ))
    if arguments in ([], ["-h"], ["--help"]) and "_BACKPROP_COMPLETE" not in os.environ:
        try:
            sys.stdout.write(greeting())
            sys.stdout.flush()
        except OSError:  # a closed pipe, a full disk: there is nobody to tell
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    from backprop_cli.cli import run  # click costs more time than the greeting

    sys.exit(run(arguments))


if __name__ == "__main__":
    main()

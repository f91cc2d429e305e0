"""The commands, one a file: each reads its options, calls one function and prints what that returns."""

"""Marks a student's own numbers the way a good teacher does.

cells        what stands in one box of a sheet: a number as it was typed, and how exact that is
reading      the forms of a filled sheet: TOML, JSON, CSV, Markdown, lines
submission   which boxes it fills with what
key          what is asked for, how many digits, and the numbers that come of it
slopes       the slope of an activation as a quantity of its own
boxes        the boxes of one value, and what is found of each
hands        how somebody got from box to box: exactly or rounding, with their own slips or without
candidates   what mistakes would make of a value
diagnosis    which of them makes the numbers that are wrong
marks        what is found of one sheet
walk         box by box: right, carried on from an earlier slip, or wrong
marking      a sheet: by the key, on its way, and by other conventions
customs      what is not wrong but only done differently, and consistently
result       the marks of one sheet, and how much of them is told
explain      the arithmetic behind a mark, with the student's own numbers
batch        several sheets, and a sheet that is being filled
catalogue    every mistake that is known
simulate     students made up to try a key out
"""

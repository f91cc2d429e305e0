"""Marks a student's own numbers the way a good teacher does.

cells        what stands in one box of a sheet: a number as it was typed, and how exact that is
submission   a filled sheet, in any of its forms: which boxes it fills with what
key          what is asked for, how many digits, and the numbers that come of it
hands        how somebody got from box to box: exactly or rounding, with their own slips or without
marking      box by box: right, carried on from an earlier slip, or wrong
diagnosis    which mistake makes the numbers that are wrong
customs      what is not wrong but only done differently, and consistently
result       the marks of one sheet, and how much of them is told
"""

"""Worksheets: numbers that tell mistakes apart, in forms to fill in and to print.

variants   draws the numbers, until no two mistakes come to the same
sheet      what stands on a sheet: what is given, what is asked for, and how to answer
forms      the sheet as TOML, CSV, Markdown, LaTeX or HTML
make       sheets and keys for a whole class, as files
trial      students made up to try a key out
"""

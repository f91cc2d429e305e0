"""A sheet as TOML or CSV to fill in, and as Markdown, LaTeX or HTML to print."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from backprop_cli.exercises.sheet import Sheet, Table
from backprop_cli.language import current, tr

WIDE = 1.9
"""The width of a box on paper, in centimetres."""


def toml(sheet: Sheet) -> str:
    """Lines to fill in: names, and a pair of quotes for each number."""
    return "\n".join(_toml_lines(sheet)) + "\n"


def _toml_lines(sheet: Sheet) -> Iterator[str]:
    yield f"# {sheet.title}"
    yield from (f"# {label}: {text}" for label, text in sheet.facts)
    yield from (f"# {rule}" for rule in sheet.rules)
    yield f"# {tr('Write each number between its quotes.')}"
    yield ""
    yield f"sheet = {_quoted(sheet.key.id)}"
    yield f"student = {_quoted(sheet.student)}"
    yield ""
    yield from (f"# {table.name} = {_listed(table)}" for table in sheet.given)
    yield ""
    yield "[answers]"
    for table in sheet.asked:
        rows = [", ".join(_quoted(cell) for cell in row) for row in table.cells]
        if table.flat:
            yield f"{table.name} = {f'[{rows[0]}]' if '[' in table.addresses[0][0] else rows[0]}"
        else:
            yield f"{table.name} = ["
            yield from (f"  [{row}]," for row in rows)
            yield "]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _listed(table: Table) -> str:
    """Numbers as a list, or one by itself."""
    rows = [f"[{', '.join(row)}]" for row in table.cells]
    if "[" not in table.addresses[0][0]:
        return table.cells[0][0]
    return rows[0] if table.flat else f"[{', '.join(rows)}]"


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") else text


def as_csv(sheet: Sheet) -> str:
    """A row for each number."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["address", "answer"])
    rows.writerow(["sheet", sheet.key.id])
    rows.writerow(["student", guarded(sheet.student)])
    for table in sheet.asked:
        for addresses, cells in zip(table.addresses, table.cells, strict=True):
            rows.writerows(zip(addresses, cells, strict=True))
    return out.getvalue()


def markdown(sheet: Sheet) -> str:
    """A table for each value."""
    lines = [f"# {sheet.title}", ""]
    if sheet.student:
        lines += [f"{tr('Student')}: {_marked_down(sheet.student)}", ""]
    lines += [f"sheet: {sheet.key.id}", ""]
    lines += [f"- **{label}** — {_marked_down(text)}" for label, text in sheet.facts]
    if sheet.rules:
        lines += ["", f"## {tr('Formulas')}", "", *(f"- {_marked_down(rule)}" for rule in sheet.rules)]
    lines += ["", f"## {tr('Given')}", "", "```"]
    lines += [f"{table.name} = {_listed(table)}" for table in sheet.given]
    lines += ["```", "", f"## {tr('Asked')}", ""]
    for table in sheet.asked:
        if table.flat:
            head = ["", table.written]
            body = [list(row) for row in zip(table.addresses[0], table.cells[0], strict=True)]
        else:
            head = [table.name, *(str(place) for place in range(1, len(table.cells[0]) + 1))]
            names = [_row_name(addresses[0]) for addresses in table.addresses]
            body = [[name, *cells] for name, cells in zip(names, table.cells, strict=True)]
        lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        lines += [f"| {' | '.join(row)} |" for row in body]
        lines += [""]
    return "\n".join(lines)


def _row_name(address: str) -> str:
    """What a row is called: its index without the last place, 2 for dW1[2,1] and 1;2 for h1[1;2,1]."""
    index = address.partition("[")[2].rstrip("]")
    return index.replace(";", ",").rpartition(",")[0]


def _marked_down(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\`*_<>|#" else sign for sign in text)


def latex(sheet: Sheet) -> str:
    """A page for LaTeX, with empty boxes."""
    lines = [
        r"\documentclass[11pt,a4paper]{article}",
        r"\usepackage[margin=2cm]{geometry}",
        r"\usepackage{iftex}",
        r"\ifPDFTeX\usepackage[utf8]{inputenc}\usepackage[T1]{fontenc}\else\usepackage{fontspec}\fi",
        *([r"\usepackage[UTF8]{ctex}"] if current().language == "zh" else []),
        r"\setlength{\parindent}{0pt}",
        rf"\newcommand{{\blank}}[1]{{\makebox[{WIDE}cm]{{\rule[-2pt]{{{WIDE}cm}}{{0.4pt}}\hspace{{-{WIDE}cm}}#1}}}}",
        r"\begin{document}",
        rf"\section*{{{_tex(sheet.title)}}}",
        rf"\textbf{{{_tex(tr('Student'))}:}} {_tex(sheet.student)}\par\smallskip",
        *(rf"\textbf{{{_tex(label)}:}} {_tex(text)}\par" for label, text in sheet.facts),
        *(rf"{_tex(rule)}\par" for rule in sheet.rules),
        rf"\subsection*{{{_tex(tr('Given'))}}}",
        *(_tex_table(table, str) for table in sheet.given),
        rf"\subsection*{{{_tex(tr('Asked'))}}}",
        *(_tex_table(table, lambda cell: rf"\blank{{{cell}}}") for table in sheet.asked),
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def _tex_table(table: Table, box: Callable[[str], str]) -> str:
    """Rows of numbers or boxes; a wide row goes on in the next line."""
    rows = []
    for addresses, cells in zip(table.addresses, table.cells, strict=True):
        parts = [
            rf"\mbox{{\texttt{{{_tex(address)}}} = {box(_tex(cell))}}}"
            for address, cell in zip(addresses, cells, strict=True)
        ]
        rows.append("\\quad ".join(parts) + r"\par\smallskip")
    return "\n".join(rows)


MATHS: Mapping[str, str] = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "ᵀ": r"$^T$", "δ": r"$\delta$", "∂": r"$\partial$",
    "·": r"$\cdot$", "Σ": r"$\Sigma$", "−": r"$-$", "½": r"$\frac12$", "²": r"$^2$", "\N{NO-BREAK SPACE}": "~",
    "′": r"$'$", "σ": r"$\sigma$", "→": r"$\to$", "…": r"\dots{}", "λ": r"$\lambda$",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(MATHS.get(sign, sign) for sign in text)


STYLE = """
body { font: 11pt/1.5 Georgia, "Noto Serif CJK SC", serif; margin: 2cm auto; max-width: 18cm; color: #111; }
h1 { font-size: 16pt; } h2 { font-size: 13pt; border-bottom: 1px solid #999; }
dt { font-weight: bold; float: left; margin-right: .5em; } dd { margin: 0 0 .3em 0; }
table { border-collapse: collapse; margin: .4em 0 1em; break-inside: avoid; }
caption { text-align: left; font-weight: bold; } th { font: 9pt monospace; padding: .1em .5em; color: #555; }
td { border: 1px solid #666; min-width: 5.2em; height: 2em; text-align: center; font-family: monospace; }
@media print { body { margin: 0; max-width: none; } @page { margin: 1.8cm; } }
"""


def page(sheet: Sheet) -> str:
    """A page for a browser, to be printed."""
    said = html.escape
    lines = [
        "<!doctype html>",
        f'<html lang="{current().language}"><head><meta charset="utf-8"><title>{said(sheet.title)}</title>',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>{said(sheet.title)}</h1>",
        f"<p><b>{said(tr('Student'))}:</b> {said(sheet.student)}</p>",
        "<dl>",
        *(f"<dt>{said(label)}</dt><dd>{said(text)}</dd>" for label, text in sheet.facts),
        "</dl>",
        *([f"<h2>{said(tr('Formulas'))}</h2>"] if sheet.rules else []),
        *(f"<p>{said(rule)}</p>" for rule in sheet.rules),
        f"<h2>{said(tr('Given'))}</h2>",
        *map(_html_table, sheet.given),
        f"<h2>{said(tr('Asked'))}</h2>",
        *map(_html_table, sheet.asked),
        "</body></html>",
    ]
    return "\n".join(lines) + "\n"


def _html_table(table: Table) -> str:
    rows = []
    for addresses, cells in zip(table.addresses, table.cells, strict=True):
        rows.append("<tr>" + "".join(f"<th>{html.escape(address)}</th>" for address in addresses) + "</tr>")
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    return f"<table><caption>{html.escape(table.written)}</caption>\n" + "\n".join(rows) + "\n</table>"


FORMS: dict[str, Callable[[Sheet], str]] = {"toml": toml, "csv": as_csv, "md": markdown, "tex": latex, "html": page}
"""Each form by the ending of its files."""
TO_FILL = ("toml", "csv")


def key_text(table: Mapping[str, Any]) -> str:
    """A key file: a problem file with a table [sheet]. JSON's texts, numbers and lists are TOML's as well."""
    plain = {name: value for name, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in plain.items()]
    for name, inner in table.items():
        if isinstance(inner, Mapping):
            lines += ["", f"[{name}]"]
            for each, value in inner.items():
                if isinstance(value, Mapping):
                    parts = ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in value.items())
                    lines.append(f"{each} = {{ {parts} }}")
                else:
                    lines.append(f"{each} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"

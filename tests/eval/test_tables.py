"""Tables in all three forms: numbers rounded for the eye, all digits in the CSV, empty cells empty."""

import os
import re
from pathlib import Path

import pandas as pd
import pytest

from isp_core.errors import IspError
from isp_eval.tables import latex, markdown, text, write_table

FRAME = pd.DataFrame({"class": ["head_1", "bags & co"], "IoU": [53.149, float("nan")], "n": [977, 0]})


def test_markdown_and_text_round_and_leave_missing_values_empty() -> None:
    assert markdown(FRAME).splitlines() == [
        "| class | IoU | n |",
        "|:--|--:|--:|",
        "| head_1 | 53.1 | 977 |",
        "| bags & co |  | 0 |",
    ]
    assert text(FRAME).splitlines() == ["class       IoU    n", "head_1     53.1  977", "bags & co          0"]


def test_latex_escapes_what_latex_would_read() -> None:
    source = latex(FRAME, "50 % of {it}")
    assert r"\caption{50 \% of \{it\}}" in source
    assert r"head\_1 & 53.1 & 977 \\" in source
    assert r"bags \& co &  & 0 \\" in source
    assert r"\begin{tabular}{lrr}" in source


@pytest.mark.parametrize(
    "name",
    [
        "two\nlines",
        "a\n\nparagraph",
        "\x1b[31mred",
        "half \ud83d",
        os.fsdecode(b"\xd5\xc6"),
        "[x](http://a.org)",
        "<b>|`",
    ],
    ids=ascii,
)
def test_a_hostile_name_stays_in_its_cell(name: str, tmp_path: Path) -> None:
    cells = pd.DataFrame({"run": pd.Series([name], dtype=object), "mAP": [1.0]})
    files = write_table(cells, tmp_path, "table", f"Runs of {name}")
    _, in_markdown, in_latex = (file.read_bytes().decode("utf-8") for file in files)
    assert len(text(cells).splitlines()) == 2
    assert len(markdown(cells).splitlines()) == 3
    assert "\x1b" not in text(cells) + in_markdown + in_latex
    assert "\n\n" not in in_latex  # the end of a paragraph ends LaTeX
    row = in_markdown.splitlines()[-1]
    assert not re.search(r"(?<!\\)[<\[`]", row)
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


def test_three_files_are_written_and_the_csv_keeps_all_digits(tmp_path: Path) -> None:
    files = write_table(FRAME, tmp_path / "new", "table", "A table")
    assert [file.name for file in files] == ["table.csv", "table.md", "table.tex"]
    assert pd.read_csv(files[0])["IoU"][0] == 53.149
    (tmp_path / "file").write_text("")
    with pytest.raises(IspError, match="could not be written"):
        write_table(FRAME, tmp_path / "file", "table", "A table")

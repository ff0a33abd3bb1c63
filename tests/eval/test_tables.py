"""Tables in all three forms: numbers rounded for the eye, all digits in the CSV, empty cells empty."""

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


def test_three_files_are_written_and_the_csv_keeps_all_digits(tmp_path: Path) -> None:
    files = write_table(FRAME, tmp_path / "new", "table", "A table")
    assert [file.name for file in files] == ["table.csv", "table.md", "table.tex"]
    assert pd.read_csv(files[0])["IoU"][0] == 53.149
    (tmp_path / "file").write_text("")
    with pytest.raises(IspError, match="could not be written"):
        write_table(FRAME, tmp_path / "file", "table", "A table")

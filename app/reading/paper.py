"""The paper's Tables 1-6 as frames for the pages, always labelled as the paper's. The figures: eval.studies.paper."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from isp_eval.studies import paper

COLUMNS = ("R-1", "R-5", "mAP")
LABEL = "The paper's own results (Zhu et al., ECCV 2020), in percent; none of them was measured here."


def _row(head: Mapping[str, object], figures: paper.Figures, names: tuple[str, ...] = COLUMNS) -> dict[str, object]:
    return {**head, **{name: figures.get(name) for name in names}}


def retrieval_table() -> pd.DataFrame:
    """The last rows of Tables 1 and 2, and Tables 5 and 6, in one."""
    rows = [_row({"from": "Table 1", "data set": d, "method": "ISP"}, f) for d, f in paper.ISP.items()]
    names = {"all-parts": "ISP w/o aligned matching", "aligned": "ISP"}
    rows += [
        _row({"from": "Table 2", "data set": paper.OCCLUDED, "method": names[rule]}, figures)
        for rule, figures in paper.OCCLUSION.items()
    ]
    rows += [
        _row({"from": "Table 5", "data set": data, "method": method}, figures)
        for data, methods in paper.SEMANTICS.items()
        for method, figures in methods.items()
    ]
    rows += [
        _row({"from": "Table 6", "data set": paper.DUKE, "method": f"ISP, {name}"}, backbone.figures)
        for name, backbone in paper.BACKBONES.items()
    ]
    return pd.DataFrame(rows)


def table_3() -> pd.DataFrame:
    """Table 3 (K = 6): the paper's IoU of pseudo-labels and of predictions."""
    kinds = (("train (pseudo-labels)", paper.PSEUDO_LABELS), ("test (predictions)", paper.PREDICTIONS))
    classes = ("foreground", "head", "legs", "shoes")
    return pd.DataFrame(
        [
            _row({"maps": kind, "data set": data}, figures, classes)
            for kind, known in kinds
            for data, figures in known.items()
        ]
    )


def table_4() -> pd.DataFrame:
    """Table 4: one row a K, R-1 and mAP by data set."""
    rows: dict[int, dict[str, object]] = {}
    for data, known in paper.PARTS.items():
        for k, figures in known.items():
            rows.setdefault(k, {"K": k}).update({f"{data} {name}": figures.get(name) for name in ("R-1", "mAP")})
    return pd.DataFrame(list(rows.values()))

"""`python -m eval retrieval`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from isp_core.commands.options import EpochOption, JsonOption, RunOption, print_json

if TYPE_CHECKING:
    import pandas as pd

    from eval.retrieval import Retrieval

EVERY = "every"
_MATCHINGS = f"aligned, all-parts, concatenated, authors, global, foreground, part-1 ..., or {EVERY}"


def judge_retrieval(
    run: RunOption,
    epoch: EpochOption = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Data set; may be left out for stored embeddings. Another than the run's: cross-data-set."),
    ] = None,
    matching: Annotated[
        list[str] | None,
        typer.Option(help=f"{_MATCHINGS}; may be repeated. Default: aligned (Eq. 10)."),
    ] = None,
    metric: Annotated[Literal["cosine", "euclidean"], typer.Option(help="Distance between features.")] = "cosine",
    subset: Annotated[str, typer.Option(help="Only queries of this subset, such as occluded.")] = "",
    queries: Annotated[
        Literal["single", "multi"], typer.Option(help="multi: the mean over an identity's queries of one camera.")
    ] = "single",
    visible_from: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the pixels from which on a part is visible; 0 is Eq. 8.")
    ] = 0.0,
    rerank: Annotated[bool, typer.Option("--rerank", help="k-reciprocal re-ranking.")] = False,
    k1: Annotated[int, typer.Option(min=1, help="Re-ranking: reciprocal neighbours.")] = 20,
    k2: Annotated[int, typer.Option(min=1, help="Re-ranking: neighbours averaged over.")] = 6,
    weight: Annotated[float, typer.Option(min=0, max=1, help="Re-ranking: weight of the original distance.")] = 0.3,
    resample: Annotated[
        Literal["queries", "identities"], typer.Option(help="What intervals and tests draw anew.")
    ] = "queries",
    against: Annotated[
        Path | None, typer.Option(help="Another run on the same queries: paired test of --run against it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the table as CSV, Markdown and LaTeX.")] = None,
    as_json: JsonOption = False,
) -> None:
    """CMC, mAP and mINP under the Market-1501 protocol, each with a bootstrap interval; kept in RUN/evaluation.

    Gallery pictures of the query's identity and camera are removed, junk (-1) is dropped, distractors (0) stay.
    """
    # imported here: --help need not wait for torch
    from eval.comparison import compare
    from eval.reranking import Reranking
    from eval.retrieval import Rule, evaluate, evaluate_run
    from eval.sources import retrieval_set
    from eval.tables import text, write_table
    from isp_core.data import load
    from isp_core.errors import IspError
    from isp_core.runs import open_run

    opened, progress = open_run(run), sys.stderr.isatty() and not as_json
    source = retrieval_set(opened, epoch, None if data is None else load(data), progress)
    reranking = Reranking(k1, k2, weight) if rerank else None
    parts = 0 if source.query_embeddings is None else source.query_embeddings.n_parts
    rules = [
        Rule(each, metric, queries, subset, visible_from, reranking, resample) for each in _matchings(matching, parts)
    ]
    found = [evaluate_run(opened, source, rule, progress) for rule in rules]
    documents = [each.document() for each in found]
    caption = f"{found[0].source.run} on {found[0].source.data}, {found[0].source.origin}"
    frame = found[0].table() if len(found) == 1 else _by_rule(found)
    if against is not None:
        if len(rules) > 1:
            raise IspError("--against compares under one rule: give one --matching")
        other = open_run(against)
        comparison = compare(evaluate(retrieval_set(other, None, None, progress), rules[0], progress), found[0])
        opened.write_evaluation(comparison.name, comparison.document())
        documents.append(comparison.document())
        frame, caption = comparison.table(), f"{caption}, against {against}"
    if out is not None:
        write_table(frame, out, found[0].name if len(found) == 1 else "retrieval", caption)
    if as_json:
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    typer.echo(caption)
    first = found[0]
    typer.echo(f"{first.ranking.n_queries} queries, {len(first.source.gallery)} gallery pictures, {first.rule.name}\n")
    typer.echo(text(frame))
    for note in first.notes:
        typer.echo(f"note: {note}")


def _matchings(given: list[str] | None, parts: int) -> list[str]:
    from isp_core.matching import MATCHINGS

    if not given:
        return ["aligned"]
    if EVERY not in given:
        return given
    whole = [name for name in MATCHINGS if name != "part-K" and (parts or name in ("aligned", "global"))]
    return whole + [f"part-{k}" for k in range(1, parts + 1)]


def _by_rule(found: list[Retrieval]) -> pd.DataFrame:
    import pandas as pd

    from eval.retrieval import FIGURES

    rows = [(each.rule.matching, *(100 * each.figures[name].mean for name in FIGURES)) for each in found]
    return pd.DataFrame(rows, columns=["matching", *FIGURES])

"""`python -m eval retrieval`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from isp_core.commands.options import EpochOption, JsonOption, RunOption, VisibilityOption, print_json
from isp_core.paths import writable_folder

if TYPE_CHECKING:
    import pandas as pd

    from isp_eval.retrieval import Retrieval

EVERY = "every"
# all that is written to files; a terminal is too narrow for it
_SHOWN = ["matching", "R-1", "R-1, 95%", "R-5", "R-10", "R-20", "mAP", "mAP, 95%", "mINP"]
# named here, since --help does not wait for torch; a test compares them with the registries
_MATCHINGS = f"aligned, all-parts, concatenated, authors, global, foreground, part-1 ..., or {EVERY}"
_METRICS = "cosine, euclidean"


def judge_retrieval(
    run: RunOption,
    epoch: EpochOption = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data set; not needed for stored embeddings. Another one than the run's: cross-data-set evaluation."
        ),
    ] = None,
    split: Annotated[
        Literal["test", "validation"],
        typer.Option(help="validation: the training identities that the run held out (data.validation), for choices."),
    ] = "test",
    matching: Annotated[
        list[str] | None,
        typer.Option(help=f"{_MATCHINGS}; may be repeated. Default: aligned (Eq. 10)."),
    ] = None,
    metric: Annotated[str, typer.Option(help=f"Distance between features: {_METRICS}.")] = "cosine",
    subset: Annotated[str, typer.Option(help="Only queries of this subset, such as occluded.")] = "",
    queries: Annotated[
        Literal["single", "multi"], typer.Option(help="multi: the mean over an identity's queries of one camera.")
    ] = "single",
    visibility: VisibilityOption = None,
    visible_from: Annotated[
        float, typer.Option(min=0, max=1, help="A part is visible from this share of the pixels; 0 is Eq. 8.")
    ] = 0.0,
    visible_probability: Annotated[
        float, typer.Option(min=0, max=1, help="Instead: a part is visible if some pixel has this probability of it.")
    ] = 0.0,
    rerank: Annotated[bool, typer.Option("--rerank", help="k-reciprocal re-ranking.")] = False,
    k1: Annotated[int, typer.Option(min=1, help="Re-ranking: reciprocal neighbours.")] = 20,
    k2: Annotated[int, typer.Option(min=1, help="Re-ranking: neighbours averaged over.")] = 6,
    weight: Annotated[float, typer.Option(min=0, max=1, help="Re-ranking: weight of the original distance.")] = 0.3,
    resample: Annotated[
        Literal["identities", "queries"],
        typer.Option(
            help="What intervals and paired tests resample. An identity's queries are alike: drawn one by one, "
            "intervals are too narrow."
        ),
    ] = "identities",
    against: Annotated[
        Path | None, typer.Option(help="Another run on the same queries: paired test of --run against it.")
    ] = None,
    against_epoch: Annotated[
        int | None, typer.Option(help="Paired test against this epoch (of --against, or of --run itself).")
    ] = None,
    against_matching: Annotated[
        str | None, typer.Option(help="Paired test against this matching, such as all-parts.")
    ] = None,
    against_visibility: Annotated[
        str | None, typer.Option(help="Paired test against this visibility rule, such as eq8.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the table as CSV, Markdown and LaTeX.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute CMC, mAP and mINP under the Market-1501 protocol, with bootstrap intervals; stored in RUN/evaluation.

    Intervals and paired tests resample identities; --resample queries resamples single queries.
    Gallery images of the query's identity and camera are removed, junk (-1) is dropped, distractors (0) stay.
    """
    # imported here: --help need not wait for torch
    from isp_core.data import load
    from isp_core.errors import IspError
    from isp_core.runs import open_run
    from isp_eval.comparison import compare
    from isp_eval.reranking import Reranking
    from isp_eval.retrieval import Rule, evaluate, evaluate_run
    from isp_eval.sources import retrieval_set, validation_set
    from isp_eval.storing import keep, summary
    from isp_eval.tables import text, write_table

    if out is not None:
        writable_folder(out)
    opened, progress = open_run(run), sys.stderr.isatty() and not as_json
    if visibility is not None and (visible_from or visible_probability):
        raise IspError("--visibility, --visible-from and --visible-probability exclude each other: give one of them")
    data_set, peaks = None if data is None else load(data), visible_probability > 0
    if split == "validation" and (data is not None or subset):
        raise IspError("--split validation takes stored embeddings: leave out --data and --subset")
    held = split == "validation"
    if held:
        source = validation_set(opened, epoch, visibility)
    else:
        source = retrieval_set(opened, epoch, data_set, progress, peaks, visibility)
    reranking = Reranking(k1, k2, weight) if rerank else None
    parts = 0 if source.query_embeddings is None else source.query_embeddings.n_parts
    rules = [
        Rule(each, metric, queries, subset, visible_from, visible_probability, reranking, resample)
        for each in _matchings(matching, parts)
    ]
    found = [evaluate_run(opened, source, rule, progress) for rule in rules]
    read = () if data_set is None else data_set.notes
    documents, kept = [each.document() for each in found], [each.kept for each in found]
    caption = f"{found[0].source.run} on {found[0].source.data}, {found[0].source.origin}"
    frame = found[0].table() if len(found) == 1 else _by_rule(found)
    if any(each is not None for each in (against, against_epoch, against_matching, against_visibility)):
        if len(rules) > 1:
            raise IspError("a paired test compares under one rule: give one --matching")
        other = opened if against is None else open_run(against)
        data_there = data_set if source.foreign or peaks else None
        if held:
            others = validation_set(other, against_epoch, against_visibility or visibility)
        else:
            others = retrieval_set(other, against_epoch, data_there, progress, peaks, against_visibility or visibility)
        rule = rules[0] if against_matching is None else replace(rules[0], matching=against_matching)
        comparison = compare(evaluate(others, rule, progress), found[0])
        kept.append(keep(opened, comparison.name, comparison.document()))
        documents.append(comparison.document())
        frame, caption = comparison.table(), f"{comparison.labels[1]} minus {comparison.labels[0]} on {source.data}"
        notes, resampled = (*found[0].notes, *comparison.notes), comparison.resampled
    else:
        notes, resampled = found[0].notes, found[0].resampled
    caption += f"; {resampled}"
    if out is not None:
        write_table(frame, out, found[0].name if len(found) == 1 else "retrieval", caption)
    if as_json:
        typer.echo(summary(opened, kept), err=True)
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    typer.echo(caption)
    first = found[0]
    asked = f"{first.ranking.n_queries} {'query' if first.ranking.n_queries == 1 else 'queries'}"
    rule_name = first.rule.name if len(found) == 1 else first.rule.name.removeprefix(f"{first.rule.matching}-")
    typer.echo(f"{asked}, {len(first.source.gallery)} gallery images, {rule_name}; visible parts: {first.visibility}\n")
    typer.echo(text(frame if len(found) == 1 else frame[_SHOWN]))
    for note in (*read, *notes):
        typer.echo(f"note: {note}")
    typer.echo(summary(opened, kept))


def _matchings(given: list[str] | None, parts: int) -> list[str]:
    from isp_core.errors import IspError
    from isp_core.matching import matching_names, matching_rule

    if not given:
        return ["aligned"]
    if EVERY in given:
        return matching_names(parts)
    for name in given:
        try:
            matching_rule(name)
        except IspError as error:
            raise IspError(f"--{error}, {EVERY}") from None
    return given


def _by_rule(found: list[Retrieval]) -> pd.DataFrame:
    """A row for each rule: every figure with its interval, in per cent."""
    import pandas as pd

    rows = []
    for each in found:
        row: dict[str, object] = {"matching": each.rule.matching}
        for name, i in each.figures.items():
            row |= {name: 100 * i.mean, f"{name}, {i.level:.0%}": f"{100 * i.low:.1f} to {100 * i.high:.1f}"}
        rows.append(row)
    return pd.DataFrame(rows)

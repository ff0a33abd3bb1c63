"""`python -m assets.runs.build WORK`: trains the embedded study in WORK, evaluates it, and puts it here, made small.

Every run shares preset `walkers`: backbone, steps, augmentation and seed. What is missing is trained or resumed, so the
command may be stopped at any time. The last epoch is the result.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer
from safetensors.torch import load_file, save_file

from isp_core.config import load_config
from isp_core.errors import IspError
from isp_core.metrics.spaces import load_space
from isp_core.runs import Run, open_run, schema
from isp_eval.comparison import compare
from isp_eval.label_maps import maps_of
from isp_eval.parsing_protocol import evaluate as evaluate_parsing
from isp_eval.retrieval import Rule, evaluate_run
from isp_eval.sources import retrieval_set
from isp_eval.storing import keep
from isp_eval.studies.plans import Study, plan
from isp_eval.studies.reports import Truth, tables_of
from isp_eval.studies.training import Bench, Trained, train_missing
from isp_eval.tables import write_table

ROOT = Path(__file__).resolve().parents[2]
DATA, HERE = Path("assets/walkers"), Path("assets/runs")
ISP, BASELINE, PAPER = "position-words-k6", "baseline", "clustering-k6"
WITH_WEIGHTS = (ISP, BASELINE)
WITH_ACTIVATION = (ISP,)
WITHOUT_EMBEDDINGS = ("clustering-k6-one-step", "clustering-k6-unnormalised", "extra-belongings")
SEMANTICS = ("baseline", "+extra info", "+belongings", "ISP")
SUBSETS = ("", "occluded")


def build(
    work: Annotated[Path, typer.Argument(help="Folder for the whole runs; some 2 GB.")],
    jobs: Annotated[int, typer.Option(min=1, help="Runs to train at once.")] = 1,
    only: Annotated[list[str] | None, typer.Option(help="Only these studies, such as K (default: all).")] = None,
    parts: Annotated[list[str] | None, typer.Option(help="Only these K (default: 4 to 8).")] = None,
) -> None:
    """Train, evaluate and embed the study."""
    if Path.cwd().resolve() != ROOT:  # paths stand in the runs' configuration: they must mean the same everywhere
        raise IspError(f"run this from the project's folder ({ROOT})")
    bench, truth = Bench(DATA, work, DATA, "walkers", jobs), Truth(DATA, "walkers", DATA)
    usual, cascade = load_config("walkers"), load_config("walkers+cascade-cpu")
    studies: list[tuple[Study, bool]] = [
        ("semantics", False),
        ("cascade", True),
        ("K", False),
        ("matching", False),
        ("backbone", False),
    ]
    if unknown := set(only or ()) - {study for study, _ in studies}:
        known = ", ".join(study for study, _ in studies)
        raise IspError(f"no study is called {', '.join(sorted(unknown))}; there are {known}")
    done: dict[str, Run] = {}
    for study, of_paper in studies:
        if only and study not in only:
            continue
        base = cascade if of_paper else usual
        values = {"K": parts or (), "semantics": SEMANTICS}.get(study, ())
        trained = train_missing(bench, base, plan(study, base, values, maps=DATA, space="walkers"), _say)
        for table in tables_of(study, trained, "DukeMTMC-reID", truth):
            write_table(table.frame, HERE / "tables", table.name, table.caption, table.decimals)
        done |= {each.run.name: each.run for each in trained if each.run is not None}
        _require(trained)
    for run in done.values():
        judge(run)
    if ISP in done:
        for other in (BASELINE, "extra-info", PAPER):
            if other in done:
                against(done[other], done[ISP])
    for run in done.values():
        embed(open_run(run.path), HERE / run.name)


def judge(run: Run) -> None:
    """Retrieval of all and of occluded queries by every rule, parsing of training and test images, into the run."""
    source = retrieval_set(run, None)
    rules = ("aligned", "all-parts", "global", "foreground") if run.info.parts else ("global",)
    for subset in SUBSETS:
        found = {matching: evaluate_run(run, source, Rule(matching, subset=subset)) for matching in rules}
        if run.info.parts:
            comparison = compare(found["all-parts"], found["aligned"])
            keep(run, comparison.name, comparison.document())
    if run.info.parts:
        for split in ("train", "test"):
            parsing = evaluate_parsing(run, maps_of(run, split, None), DATA, load_space("walkers"))
            keep(run, parsing.name, parsing.document())


def against(first: Run, second: Run) -> None:
    """A paired test on the same queries, by each run's own matching, into the second run."""
    for subset in SUBSETS:
        sides = []
        for run in (first, second):
            rule = Rule("aligned" if run.info.parts else "global", subset=subset)
            sides.append(evaluate_run(run, retrieval_set(run, None), rule))
        comparison = compare(*sides)
        keep(second, comparison.name, comparison.document())


def embed(run: Run, into: Path) -> None:
    """A copy that the app needs and no more: all label maps, the last epoch's embeddings, weights in half precision."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for name in (schema.RUN_FILE, schema.RECORDS_FILE, schema.METRICS_FILE):
        shutil.copy2(run.path / name, into / name)
    for document in sorted((run.path / schema.EVALUATION).glob("*.json")):
        (into / schema.EVALUATION).mkdir(exist_ok=True)
        short = json.dumps(_short(json.loads(document.read_text("utf-8"))), ensure_ascii=False, separators=(",", ":"))
        (into / schema.EVALUATION / document.name).write_text(short + "\n", "utf-8")
    if (run.path / schema.LABELS).is_dir():
        left_out = () if run.name in WITH_ACTIVATION else ("activation",)
        shutil.copytree(run.path / schema.LABELS, into / schema.LABELS, ignore=shutil.ignore_patterns(*left_out))
    last = schema.epoch_name(run.last_epoch)
    if run.name not in WITHOUT_EMBEDDINGS:
        shutil.copytree(run.path / schema.EMBEDDINGS / last, into / schema.EMBEDDINGS / last)
    folder = run.checkpoint(run.last_epoch)
    if run.name in WITH_WEIGHTS and folder is not None:
        (into / schema.CHECKPOINTS / last).mkdir(parents=True)
        tensors = load_file(folder / schema.WEIGHTS_FILE)
        halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
        save_file(halves, into / schema.CHECKPOINTS / last / schema.WEIGHTS_FILE)


def _short(value: object) -> object:
    """A document with six digits a number, more than any figure is sure of: the study must stay small."""
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _require(trained: list[Trained]) -> None:
    missing = [f"{each.variant.run}: {each.problem}" for each in trained if each.run is None]
    if missing:
        raise IspError("; ".join(missing))


def _say(line: str) -> None:
    typer.echo(line, err=True)


if __name__ == "__main__":
    try:
        typer.run(build)
    except IspError as error:
        raise SystemExit(f"build: {error}") from error

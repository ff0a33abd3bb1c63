"""Trains the runs that a study lacks: finished ones are taken, unfinished ones resumed, several at once if wanted.

Each run is a process of its own (`python -m isp_core train`), so that one failure does not end the others.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from isp_core.config import Config, ConfigError, changed, check_config
from isp_core.errors import IspError
from isp_core.labelling.sources import source_of
from isp_core.runs import Run, RunError, open_run
from isp_eval.studies.plans import Variant

Report = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """The run of a variant, or why there is none."""

    variant: Variant
    run: Run | None
    problem: str = ""


@dataclass(frozen=True)
class Bench:
    """Where a study's runs stand and what they are trained on."""

    data: Path
    out: Path
    truth: Path | None = None
    space: str = "lip"
    jobs: int = 1

    def folder(self, variant: Variant) -> Path:
        return self.out / "runs" / variant.run


def config_of(base: Config, variant: Variant) -> Config:
    """The recipe with the variant's changes."""
    return changed(base, variant.overrides)


def train_missing(bench: Bench, base: Config, variants: Sequence[Variant], report: Report) -> list[Trained]:
    """Every variant's run, trained where it was missing. Problems are handed back, not raised: other rows go on.

    With several jobs the cores are shared out; that suits small networks, which one core feeds well.
    """
    configs = {variant.run: config_of(base, variant) for variant in variants}  # all are checked before any is trained
    lock = threading.Lock()

    def say(line: str) -> None:
        with lock:
            report(line)

    def ensure(variant: Variant) -> Trained:
        try:
            return Trained(variant, _ensure(bench, configs[variant.run], variant, say))
        except IspError as error:
            say(f"{variant.run}: {error}")
            return Trained(variant, None, str(error))

    with ThreadPoolExecutor(max(1, bench.jobs)) as pool:
        return list(pool.map(ensure, variants))


def _ensure(bench: Bench, config: Config, variant: Variant, say: Report) -> Run:
    folder = bench.folder(variant)
    try:
        run = open_run(folder)
    except RunError:
        if folder.exists() and any(folder.iterdir()):
            raise
        say(f"{variant.run}: training {config.run.epochs} epochs into {folder}")
        recipe = bench.out / "configs" / f"{variant.run}.yaml"
        recipe.parent.mkdir(parents=True, exist_ok=True)
        recipe.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
        _train(bench, variant, ["--config", str(recipe)], say)
        return open_run(folder)
    _require_same(run, config)
    last = run.epochs[-1] if run.epochs else -1
    if last >= config.run.epochs:
        say(f"{variant.run}: taken as it is, {last} epochs")
        return run
    say(f"{variant.run}: resumed after epoch {last} of {config.run.epochs}")
    _train(bench, variant, ["--resume", "--epochs", str(config.run.epochs)], say)
    return open_run(folder)


def _train(bench: Bench, variant: Variant, options: list[str], say: Report) -> None:
    command = [
        sys.executable,
        "-m",
        "isp_core",
        "train",
        "--data",
        str(bench.data),
        "--out",
        str(bench.folder(variant)),
    ]
    if bench.truth is not None:
        command += ["--truth", str(bench.truth), "--space", bench.space]
    threads = max(1, _cores() // max(1, bench.jobs))
    environment = {"OMP_NUM_THREADS": str(threads)} | dict(os.environ)
    with subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        last = ""
        try:
            for line in process.stderr or ():
                last = line.rstrip() or last
                say(f"{variant.run}: {line.rstrip()}")
        except BaseException:  # interrupted: the run goes on from its last finished epoch the next time
            process.terminate()
            raise
    if process.returncode:
        raise IspError(f"training {bench.folder(variant)} ended with status {process.returncode}: {last}")


def _cores() -> int:
    """The cores this process may use; macOS cannot tell them from all there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _require_same(run: Run, config: Config) -> None:
    """A run of another recipe must not stand in a row it does not belong to."""
    wanted = _flat(config.model_dump(mode="json"))
    try:
        found = _flat(check_config(run.info.config).model_dump(mode="json"))
    except ConfigError as error:
        raise IspError(f"{run.path} cannot stand in this study: {error}. Choose another --out") from error
    free = {"run.epochs", "run.keep", "run.eval_every", "run.truth", "run.space", "run.tensorboard"}
    free |= {"data.workers", "data.cache_mb"}
    other = [key for key in sorted(wanted) if key not in free and found.get(key) != wanted[key]]
    if other:
        key = other[0]
        raise IspError(
            f"{run.path} was trained with {key} = {found.get(key)}, this study asks for {wanted[key]}"
            + (f" (and {len(other) - 1} more differ)" if len(other) > 1 else "")
            + ": give the same options, or another --out"
        )
    source = source_of(config.labels)
    if run.info.label_algorithm != source.algorithm:
        raise IspError(
            f"{run.path} has labels by algorithm {run.info.label_algorithm} of source {source.name} (0: "
            f"unknown), today's is {source.algorithm}: train it again in another --out"
        )


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{below}": each for below, each in _flat(value).items()}
        else:
            flat[name] = value
    return flat

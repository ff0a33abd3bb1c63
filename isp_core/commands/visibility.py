"""`isp calibrate`: visibility thresholds for a run."""

from __future__ import annotations

import typer

from isp_core.commands.options import DataOption, EpochOption, JsonOption, RunOption, print_json


def calibrate_visibility(
    run: RunOption, data: DataOption, epoch: EpochOption = None, as_json: JsonOption = False
) -> None:
    """Calibrate the probability at which each part counts as visible, on the run's training images and pseudo-labels.

    The thresholds are stored in the run, and decide visibility from then on unless --visibility says otherwise. No
    ground truth is used.
    """
    import pandas as pd

    from isp_core.calibration import calibrate_run
    from isp_core.data import load
    from isp_core.runs import open_run
    from isp_core.runs.writer import sole_writer

    opened, data_set = open_run(run), load(data)
    with sole_writer(run):
        found = calibrate_run(opened, data_set, epoch)
    if as_json:
        print_json({"run": str(run)} | found.document())
        return
    columns = {"threshold": found.thresholds, "balanced accuracy": found.balanced}
    columns |= {"images that show it": found.visible, "images that do not": found.hidden}
    frame = pd.DataFrame({"part": range(1, len(found.thresholds) + 1)} | columns)
    typer.echo(
        f"{run}: visibility thresholds of epoch {found.epoch}, by the pseudo-labels of epoch {found.labels_epoch}"
    )
    typer.echo(f"\n{frame.round(3).to_string(index=False)}")

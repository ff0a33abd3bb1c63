"""`isp doctor`: is this installation in order?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from isp_core.commands.options import JsonOption, print_json
from isp_core.errors import IspError

if TYPE_CHECKING:
    from isp_core.doctor import Finding

DEVICES = ("cuda", "cpu")


def examine_installation(
    device: Annotated[
        str | None,
        typer.Option(
            help="Instead: compare training on this device with the CPU, a few minutes (cuda; cpu tries the check)."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Report versions, devices, weights, folders and free disk, and run a ten-second self-test.

    With --device cuda: labels, losses, mixed precision, NCCL, speed and memory of the GPU, compared with the CPU.
    Without a GPU it says what it would do, tries what can be simulated, and ends with status 1.
    Include the output in bug reports. The exit status is 1 if something is wrong.
    """
    # imported here: --help need not wait for pandas
    from isp_core.doctor import examine

    if device is not None and device not in DEVICES:
        raise IspError(f"--device {device}: {' or '.join(DEVICES)}; for one of several GPUs set CUDA_VISIBLE_DEVICES")
    report = examine() if device is None else _examine_device(device)
    if as_json:
        print_json({section: [asdict(each) for each in findings] for section, findings in report.items()})
    else:
        for section, findings in report.items():
            typer.echo(section)
            for each in findings:
                typer.echo(f"  {'ok' if each.good else 'WRONG':5}  {each.name}: {each.found}")
    if not all(each.good for findings in report.values() for each in findings):
        raise typer.Exit(1)


def _examine_device(device: str) -> dict[str, list[Finding]]:
    import torch

    from isp_core.device_check import PLAN, check_device, simulated
    from isp_core.device_check.setup import PRESETS
    from isp_core.doctor import Finding, devices

    if device == "cpu" or torch.cuda.is_available():
        return {"devices": devices(), "check": check_device(device)}
    tried = []
    for preset in PRESETS:
        try:
            tried.append(Finding(preset, simulated(preset)))
        except Exception as error:  # whatever breaks here is what the report is for
            tried.append(Finding(preset, f"{type(error).__name__}: {error}", False))
    missing = "none that PyTorch can use, so nothing was checked; `--device cpu` tries the check itself"
    return {
        "devices": [Finding("GPU", missing, False)],
        "on a GPU this would": [Finding(str(number), step) for number, step in enumerate(PLAN, start=1)],
        "simulated forward pass": tried,
    }

"""`isp doctor`: is this installation in order?"""

from __future__ import annotations

from dataclasses import asdict

import typer

from isp_core.commands.options import JsonOption, print_json


def examine_installation(as_json: JsonOption = False) -> None:
    """Report versions, devices, weights, folders and free disk, and run a ten-second self-test.

    Include the output in bug reports. The exit status is 1 if something is wrong.
    """
    # imported here: --help need not wait for pandas
    from isp_core.doctor import examine

    report = examine()
    if as_json:
        print_json({section: [asdict(each) for each in findings] for section, findings in report.items()})
    else:
        for section, findings in report.items():
            typer.echo(section)
            for each in findings:
                typer.echo(f"  {'ok' if each.good else 'WRONG':5}  {each.name}: {each.found}")
    if not all(each.good for findings in report.values() for each in findings):
        raise typer.Exit(1)

"""`python -m eval`: retrieval, parsing, ground truth, study. Every command explains itself with --help."""

from __future__ import annotations

import os

# Threads that spin while they wait are up to ten times slower beside another busy process; must be set before torch
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from isp_core.commands.application import Application
from isp_eval.commands import parsing, retrieval, study, truth

app = Application(
    help="Turn runs into numbers: rankings, parsing scores, the paper's tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("retrieval")(retrieval.judge_retrieval)
app.command("parsing")(parsing.judge_parsing)
app.command("truth")(truth.write_truth)
app.command("study")(study.run_study)


def main() -> None:
    """Runs the command line and exits, see `Application.run`."""
    app.run("eval", usage="python -m eval", interrupted="what was written is complete")


if __name__ == "__main__":
    main()

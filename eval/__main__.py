"""`python -m eval`: retrieval, parsing, truth, study. Every command explains itself with --help."""

from __future__ import annotations

import os
import sys

# Threads that spin while they wait are up to ten times slower beside another busy process; must be set before torch
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from isp_core.commands.application import Application, print_any_name
from isp_core.errors import IspError
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
    """Runs the command line; errors a user can mend are one or two lines on standard error and exit status 1."""
    print_any_name()
    try:
        app()
    except IspError as error:
        print(f"eval: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("eval: interrupted; what was written is complete", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()

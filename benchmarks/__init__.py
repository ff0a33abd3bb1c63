"""How fast we are, next to slow references and the machine's limit. Run by hand: `python -m benchmarks --help`."""

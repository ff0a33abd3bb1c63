"""How fast we are, beside slow references and the machine's limit. Run by hand: `python -m benchmarks --help`."""

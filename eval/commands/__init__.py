"""The commands of `python -m eval`, thin: they read options, call the package and print."""

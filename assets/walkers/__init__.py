"""Walkers: a data set of rendered pedestrians (see README.md) and, in `generate`, the tool that made it."""

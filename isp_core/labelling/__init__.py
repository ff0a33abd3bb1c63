"""Pseudo-labels of a training set. Each source of labels is a module or folder here and a line in `sources.SOURCES`.

source.py: what a source is. rounds.py: what its labeller takes and gives. body, garments, refine: shared by sources.
"""

"""Pseudo-labels of a whole training set: by the paper's cascade, from contrast, or from a folder of maps."""

"""Descriptions of part parsers that eval.truth can run; YAML files, one each."""

"""Pure functions on arrays: ranking, parsing, label stability, intervals. Training logs them, eval builds on them.

Nothing here reads a run, trains or draws.
"""

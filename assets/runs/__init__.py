"""The embedded study: runs on Walkers that the app opens on, and the command that makes them again (build.py)."""

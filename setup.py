"""Which folder is installed under which name; everything else is in pyproject.toml.

`app`, `eval` and `assets` are names that users' own folders have too, so they are installed as `isp_app`, `isp_eval`
and `isp_assets`, and imported by these names everywhere.
"""

from setuptools import find_packages, setup

FOLDERS = {"isp_core": "isp_core", "isp_eval": "eval", "isp_app": "app", "isp_assets": "assets"}

setup(
    package_dir=FOLDERS,
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f"{package}.{inner}" for inner in find_packages(folder)))
    ],
)

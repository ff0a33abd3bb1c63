"""Which folder is installed under which name, and the commit that a wheel was built from; the rest is pyproject.toml.

`app`, `eval` and `assets` are names that users' own folders have too, so they are installed as `isp_app`, `isp_eval`
and `isp_assets`, and imported by these names everywhere.
"""

from importlib import util
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
FOLDERS = {"isp_core": "isp_core", "isp_eval": "eval", "isp_app": "app", "isp_assets": "assets"}


class BuildWithCommit(build_py):
    """Copies the packages, and beside isp_core/version.py the commit that they come from."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # an editable install asks git itself
            return
        spec = util.spec_from_file_location("version", ROOT / "isp_core" / "version.py")
        version = util.module_from_spec(spec)
        spec.loader.exec_module(version)
        commit = version.commit()
        if commit is not None:
            Path(self.build_lib, "isp_core", version.COMMIT_FILE).write_text(commit + "\n", encoding="ascii")


setup(
    package_dir=FOLDERS,
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f"{package}.{inner}" for inner in find_packages(folder)))
    ],
    cmdclass={"build_py": BuildWithCommit},
)

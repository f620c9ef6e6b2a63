"""Puts the workflow's files into the built package, for `neuralpower init` (see pyproject.toml)."""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "src"))


class BuildWithProject(build_py):
    """Copies what ``neuralpower.project.starter`` needs to ``neuralpower/_project``."""

    def run(self) -> None:
        """Build as always, then add the workflow."""
        super().run()
        if self.editable_mode:
            return  # a checkout's own files are used
        from neuralpower.project.starter import PARTS

        target = Path(self.build_lib) / "neuralpower" / "_project"
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, target / part, dirs_exist_ok=True)
            else:
                (target / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target / part)


setup(cmdclass={"build_py": BuildWithProject})

"Hand settings.ini, the one place of package facts, to setuptools; put the notebooks beside the modules in a wheel."

from configparser import ConfigParser
from pathlib import Path
from shutil import copytree

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

parser = ConfigParser()
parser.read("settings.ini", encoding="utf-8")
facts = parser["DEFAULT"]


class WithNotebooks(build_py):
    "`artmint run` needs the notebooks, and notebooks the examples, wherever artmint is installed; a checkout has them beside the package."

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for folder in ("nbs", "collections", "batches"):
            copytree(folder, Path(self.build_lib) / "artmint" / folder, dirs_exist_ok=True)


setup(
    version=facts["version"],
    description=facts["description"],
    keywords=facts["keywords"].split(),
    author=facts["author"],
    classifiers=facts["classifiers"].split("\n"),
    license=facts["license"],
    python_requires=f">={facts['min_python']}",
    install_requires=facts["requirements"].split("\n"),
    extras_require={
        key.removesuffix("_requirements"): facts[key].split("\n")
        for key in facts
        if key.endswith("_requirements")
    },
    entry_points={
        "console_scripts": facts["console_scripts"].split("\n"),
        "artmint.scorers": facts["scorers"].split("\n"),
    },
    packages=find_packages(include=["artmint", "artmint.*"]),
    package_data={"artmint": ["data/**", "py.typed"]},
    cmdclass={"build_py": WithNotebooks},
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
)

"Hand settings.ini, the one place of package facts, to setuptools; put the notebooks beside the modules in a wheel."

import re
from configparser import ConfigParser
from pathlib import Path
from shutil import copytree

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

parser = ConfigParser()
parser.read("settings.ini", encoding="utf-8")
facts = parser["DEFAULT"]
home = facts["home"].rstrip("/")
tag = f"v{facts['version']}"


def everywhere(text: str) -> str:
    "The README with links that lead somewhere from an index's page too: to this version's files. Without a home they stay as they are."
    if not home:
        return text
    elsewhere = r"(?!https?:|#|mailto:)"
    text = re.sub(rf'(!\[[^\]]*\]\(|<img src="){elsewhere}', rf"\g<1>{home}/raw/{tag}/", text)
    return re.sub(rf"((?<!!)\[[^\]]*\]\(){elsewhere}", rf"\g<1>{home}/blob/{tag}/", text)


pages = {"Homepage": "", "Source": "", "Issues": "/issues", "Changelog": f"/blob/{tag}/CHANGELOG.md"}


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
    project_urls={name: home + page for name, page in pages.items()} if home else {},
    long_description=everywhere(Path("README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)

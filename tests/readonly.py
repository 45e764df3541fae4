"Studios that can only be read: on a file system mounted so, or to a user who may not write."

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _mounted(folder: Path, place: Path) -> bool:
    "Show a folder at another place, for reading only; whether that may be done here."
    for words in (["--bind", str(folder), str(place)], ["-o", "remount,ro,bind", str(place)]):
        if subprocess.run(["mount", *words], capture_output=True, check=False).returncode:
            subprocess.run(["umount", str(place)], capture_output=True, check=False)
            return False
    return True


@contextmanager
def to_be_read(folder: Path) -> Iterator[Path]:
    "A folder to which nothing can be written, while inside: where it is then."
    place = folder.with_name(f"{folder.name}-read")
    place.mkdir()
    if os.getuid() == 0:
        if not _mounted(folder, place):
            pytest.skip("this user may write everywhere, and may mount nothing for reading only")
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
        return
    paths = [folder, *folder.rglob("*")]
    modes = [path.stat().st_mode for path in paths]
    for path in reversed(paths):
        path.chmod(path.stat().st_mode & 0o555)
    try:
        yield folder
    finally:
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)

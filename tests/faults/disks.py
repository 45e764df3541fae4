"Small file systems: disks that can be filled without filling the machine's, where one may mount."

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def mount(folder: Path | str, size: str) -> None:
    "A file system in memory of this size (as mount writes it: 64k, 2m). Raises CalledProcessError, OSError."
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def can_mount() -> bool:
    "Whether a small file system can be had here."
    with tempfile.TemporaryDirectory() as folder:
        try:
            mount(folder, "64k")
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(["umount", folder], check=False)
        return True


def move_to_small_disk(folder: Path, aside: Path) -> None:
    "Let what a folder holds lie on a file system of 2 MiB, under the same name; `aside` keeps a copy."
    shutil.move(folder, aside)
    folder.mkdir()
    mount(folder, "2m")
    shutil.copytree(aside, folder, dirs_exist_ok=True)


def fill(folder: Path, left: int) -> None:
    "Fill the file system of a folder by one file, `filler`, until so many bytes are left."
    space = os.statvfs(folder)
    size = max(space.f_bavail * space.f_frsize - left, 0)
    try:
        (folder / "filler").write_bytes(bytes(size))
    except OSError:
        pass  # the operator has taken some of it in between: all the fuller


def unmount(folder: Path) -> None:
    "Give a small file system back, whoever still looks at it."
    subprocess.run(["umount", "-l", folder], check=False)

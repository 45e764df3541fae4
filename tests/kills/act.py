"An act in an interpreter of its own: python -m tests.kills.act SUBJECT FOLDER."

import sys
from pathlib import Path

from .subjects import SUBJECTS

if __name__ == "__main__":
    subject = next(one for one in SUBJECTS if one.name == sys.argv[1])
    subject.act(Path(sys.argv[2]))

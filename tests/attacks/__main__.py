"python -m tests.attacks [--write]: try all of them, print the table by gate, and write it into docs/threats.md."

import sys

from tests.attacks.suite import attacks, table, tried, write_page

counts, lines = tried(list(attacks()))
print(*lines, sep="\n")
print(table(counts))
if "--write" in sys.argv:
    write_page(table(counts))
sys.exit(1 if lines else 0)

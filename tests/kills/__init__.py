"""Acts of a studio that are killed (SIGKILL) at a change to its disk, run again, and end in the same bytes.

    python -m tests.kills 400          # until 400 kills have struck; schedules 1, 2, 3, ...
    python -m tests.kills --only 17    # this schedule, as it was

    points.py     the points at which a process may die: before everything that it does to a disk
    subjects.py   what is killed: the line drawn and painted, a training, executors, stages, the service's worker
    site/         what interpreters read when they start, so that kernels and workers have points, too

A schedule's number gives its subject, the process that dies and how far it came, once or up to six times. Then the act is run
until it ends, and what it leaves is compared with what it leaves undisturbed.
"""

"""Power cuts and full disks: what an act has written, with everything dropped that wasn't forced to disk.

recording.py   an act's writes, recorded by strace, and the disk as a power cut leaves it after each of them
act.py         the act: seeds to a published drop, with drawings in place of painted pictures
"""

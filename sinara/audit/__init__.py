"""Files that a substep reads and writes beside what it declares: seen, told, or refused.

::

    kernel   watch.py     an audit hook: what Python code opens ──► touched.jsonl ─┐
    driver   folder.py    inotify: the step's folder, places that are named ───────┼─► sort.py
    driver   places.py    inputs, outputs, folders of the run ─────────────────────┘      │
    kernel   landlock.py  with ``strict_files``: all else is refused         FilesTouched ┘

``watch`` and ``landlock`` are loaded by their path, by whatever interpreter the kernel has.
"""

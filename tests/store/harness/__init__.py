"""The machinery that breaks a store in every way it can, and looks at what is left.

``story``       what a process does with a store: a run, a recovery, a draft, a deletion
``checks``      the invariants, written without the code that they check
``faults``      a disk that dies or lies at its k-th operation                   (H1)
``sweep``       every story, killed or failed at every operation                 (H1)
``power``       every state that a power loss can leave behind                   (H2)
``rot``         bits flipped, files cut, swapped, added, removed                 (H4)
``contention``  many writers that die, and readers who look all the time         (H5)
``simulation``  an object store that answers late, twice, or not at all          (H6)

Each prints its seed, and replays one point when told which.
"""

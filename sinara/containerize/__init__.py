"""From a bentoservice entity to an image whose name says which run it came from.

::

    entity ──recipe──► Recipe ──backend──► image without a name
                                              │ verify: started, asked its samples
                                              ▼
                                  tagged <registry>/<env>.<pipeline>.<zone>.<step>:<run_id>
                                              │ push
                                              ▼
                                  a note and an SBOM with the run

    values        what is asked for, what was planned, what came of it
    recipe        the entity unpacked into the layers of an image
    labels        what an image says of itself
    sbom          its packages, in CycloneDX
    free          an existing tag is never overwritten with other content
    verify        the image answers what the notebook predicted
    containerize  all of it, in order
    origin        an image's labels, and its files, read without running it
"""

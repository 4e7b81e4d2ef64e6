"""Container images: their names, registries, layers, and what builds them. No entity is known here.

::

    reference    "host:5000/name:tag@sha256:…" taken apart, and put together
    credentials  what docker, podman and buildah know of a registry's user and password
    registry     the registry's HTTP API: manifests and blobs, every digest checked
    layers       a folder as a layer: the same bytes each time
    layout       images in a file or folder: OCI layouts and archives
    content      labels and files of an image, read without running it
    runtime      how an image starts
    inside       the program that installs the packages, run in a build by the base's Python
    dockerfile   the one Dockerfile
    sources      the indexes and certificates of this machine, which a build gets as secrets
    context      the folder that a build sees
    call         one call of a builder: a list of arguments, an end in bounded time
    finish       labels, health check and date of what buildah and podman built
    running      a container that serves an image here, confined
    engines      buildah and podman through their command lines
    docker       docker through its command line
    direct       an image written with no builder and no daemon
    backends     which of them, and why
"""

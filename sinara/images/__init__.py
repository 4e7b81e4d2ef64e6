"""Container images: their names, registries, layers, and what builds them. No entity is known here.

::

    reference    "host:5000/name:tag@sha256:…" taken apart, and put together
    credentials  what docker, podman and buildah know of a registry's user and password
    registry     the registry's HTTP API: manifests and blobs, every digest checked
    layers       a folder as a layer: the same bytes each time
    layout       images in a file or folder: OCI layouts and archives
    content      labels and files of an image, read without running it
    dockerfile   the one Dockerfile, and the build context it needs
    call         one call of a builder: a list of arguments, an end in bounded time
    engines      buildah, podman and docker through their command lines
    direct       an image written with no builder and no daemon
    backends     which of them, and why
"""

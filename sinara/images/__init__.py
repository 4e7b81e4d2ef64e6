"""Container images: their names, registries, layers, and what builds them. No entity is known here.

::

    values       what moves between the parts below
    runtime      how an image starts, whoever builds it
    reference    "host:5000/name:tag@sha256:…" taken apart, and put together
    hosts        where a registry is, and whether plain HTTP will do
    credentials  what docker, podman and buildah know of a registry's user and password
    answers      what goes wrong with a registry, each in one line
    manifest     what an image is made of, read from bytes that nobody vouches for
    streams      bytes that are read once, their digest checked on the way
    tokens       how a registry asks who is there
    transport    requests to one registry: its login, its time, its second chance
    registry     the registry's HTTP API: manifests and blobs, every digest checked
    layers       a folder as a layer: the same bytes each time
    files        the files of an image that lies on a disk
    layout       an OCI layout or archive: written, and read
    saved        what "docker save" writes
    origin       registry, layout or archive: one way to read them all
    packed       the tar in a layer, whatever packed it
    content      labels and files of an image, read without running it
    dockerfile   the one Dockerfile, and the build context it needs
    call         one call of a builder: a list of arguments, an end in bounded time
    engines      buildah, podman and docker through their command lines
    push         an image of a layout sent to a registry: what it lacks, the tag last
    compose      what makes layers an image: configuration and manifest
    packages     the packages of an image, laid out by uv on this machine
    kept         layers of packages, for the next build
    loaded       an image in a file, started by podman or docker
    local        its service, started by this machine's own Python
    direct       an image written with no builder and no daemon
    backends     which of them, and why
"""

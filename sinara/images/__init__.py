"""Container images: their names, registries, layers, and what builds them. No entity is known here.

::

    values       what moves between the parts below
    runtime      how an image starts, whoever builds it

    reference    "host:5000/name:tag@sha256:…" taken apart, and put together
    hosts        where a registry is, and whether plain HTTP will do
    credentials  what docker, podman and buildah know of a registry's user and password
    tokens       how a registry asks who is there
    transport    requests to one registry: its login, its time, its second chance
    answers      what goes wrong with a registry, each in one line
    registry     the registry's HTTP API: manifests and blobs, every digest checked

    manifest     what an image is made of, read from bytes that nobody vouches for
    streams      bytes that are read once, their digest checked on the way
    layers       a folder as a layer: the same bytes each time
    files        the files of an image that lies on a disk
    layout       an OCI layout or archive: written, and read
    saved        what "docker save" writes
    origin       registry, layout or archive: one way to read them all
    packed       the tar in a layer, whatever packed it
    content      labels and files of an image, read without running it

    dockerfile   the one Dockerfile
    inside       the program that installs the packages, run in a build by the base's Python
    sources      the indexes and certificates of this machine, which a build gets as secrets
    context      the folder that a build sees
    call         one call of a builder: a list of arguments, an end in bounded time
    finish       labels, health check and date of what buildah and podman built
    running      a container that serves an image here, confined
    engines      buildah and podman through their command lines
    docker       docker through its command line

    packages     the packages of an image, laid out by uv on this machine
    compose      what makes layers an image: configuration and manifest
    kept         layers of packages, for the next build
    push         an image of a layout sent to a registry: what it lacks, the tag last
    loaded       an image in a file, started by podman or docker
    local        its service, started by this machine's own Python
    direct       an image written with no builder and no daemon

    backends     which of them, and why
"""

"""Kernels: started under a guard, watched from outside, and gone when they should be.

::

    driver ──socket──► guard ──fork──► kernel ──► whatever the notebook starts
       └──────── ipc sockets in a private folder ────┘

* :mod:`~sinara.kernels.guard` is the process between the driver and the kernel;
* :mod:`~sinara.kernels.processes` is the seam to it, with a plain stand-in elsewhere;
* :mod:`~sinara.kernels.specs` and :mod:`~sinara.kernels.launch` find and start a kernel;
* :mod:`~sinara.kernels.wire` and :mod:`~sinara.kernels.client` talk to it;
* :mod:`~sinara.kernels.outputs` keeps what it says, within limits;
* :mod:`~sinara.kernels.session` runs one notebook, cell by cell;
* :mod:`~sinara.kernels.engine` is the engine that papermill calls.
"""

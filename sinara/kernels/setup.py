"""What a kernel is told before the first cell, in its own language.

It runs as one silent request: it leaves no name, no output and no execution count.
"""

from __future__ import annotations

# breakpoint() would ask in vain, or, with debugpy in place, do nothing at all: a notebook that
# somebody left half debugged would pass. debugpy was kept out while the kernel started.
_NO_DEBUGGER = """
    import sys
    from IPython.core.error import StdinNotImplementedError
    def refuse(*args, **kwargs):
        raise StdinNotImplementedError("breakpoint() was called, and there is nobody to debug.")
    sys.breakpointhook = refuse
    if sys.modules.get("debugpy", sys) is None:
        del sys.modules["debugpy"]
"""

# A display in a loop can be faster than we read: wait for us, and do not drop a message.
_NO_LOSS = """
    import zmq
    thread = getattr(getattr(get_ipython(), "kernel", None), "iopub_thread", None)
    if thread is not None:
        thread.schedule(lambda: thread.socket.set(zmq.XPUB_NODROP, 1))
"""

# ipykernel waits up to 28 seconds for children that it has killed but not reaped, and ends
# without the notebook's own atexit work if we lose patience. The guard ends them anyway.
_NO_CHILD_CARE = """
    kernel = getattr(get_ipython(), "kernel", None)
    if hasattr(kernel, "_progressively_terminate_all_children"):
        async def leave_them():
            return None
        kernel._progressively_terminate_all_children = leave_them
"""

_STRICT_SHELL = """
    shell = get_ipython()
    if hasattr(shell, "system_raise_on_error"):  # IPython 9
        shell.system_raise_on_error = True
        return
    from subprocess import CalledProcessError
    from IPython.utils.process import system
    def strict(command):
        code = shell.user_ns["_exit_code"] = system(shell.var_expand(command, depth=1))
        if code:
            raise CalledProcessError(code, command)
    shell.system = strict
"""


def setup_code(language: str, *, strict_shell: bool) -> str:
    """Return the code to run silently before the first cell, or an empty string.

    Args:
        language: ``language_info.name`` of the kernel.
        strict_shell: Make ``!command`` raise ``CalledProcessError`` when the command fails.
    """
    if language != "python":
        return ""
    body = _NO_DEBUGGER + _NO_LOSS + _NO_CHILD_CARE + (_STRICT_SHELL if strict_shell else "")
    return f"def _sinara():{body}\n_sinara()\ndel _sinara\n"

"""Secrets: named in parameter files, read only inside the process that needs them.

A parameter file, a record, a report and an executed notebook hold a *reference*::

    {"token": {"$env": "HUB_TOKEN"}}        from an environment variable
    {"token": {"$file": "/run/hub_token"}}  from a file

The kernel turns the reference into a :class:`Secret`, whose value shows only when
it is asked for with :meth:`Secret.reveal`. The driver reads the value too, but only
to blot it out of what the notebook prints.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sinara.errors import ParamsError

MASK = "****"
MAX_SECRET_BYTES = 65_536
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYS = ("$env", "$file")


class Secret:
    """A text that does not show itself: not in ``repr``, ``str``, ``print``, JSON or a pickle.

    Use it as the annotation of a parameter (``token: Secret``) and call :meth:`reveal`
    where the text itself is needed.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"A Secret is made of text, not of {type(text).__name__}.")
        self.__text = text

    @classmethod
    def from_env(cls, name: str) -> Secret:
        """Return the secret in the environment variable ``name``.

        Raises:
            ParamsError: If the variable is not set, or is empty.
        """
        return cls(resolve(SecretRef(env=name)))

    @classmethod
    def from_file(cls, path: str) -> Secret:
        """Return the secret in the file at ``path``, without the line ends at its end.

        Raises:
            ParamsError: If the file cannot be read, is empty, or is larger than 64 KiB.
        """
        return cls(resolve(SecretRef(file=path)))

    def reveal(self) -> str:
        """Return the text itself."""
        return self.__text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        import hmac  # brings OpenSSL in, which few need

        # In constant time: how long a comparison takes must not tell how much of it was right.
        return hmac.compare_digest(_bytes(self.__text), _bytes(other.reveal()))

    def __hash__(self) -> int:
        return hash((Secret, self.__text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("A Secret cannot be pickled: it would be written down. Send its name.")


@dataclass(frozen=True)
class SecretRef:
    """Where a secret is to be found: exactly one of ``env`` and ``file`` is set."""

    env: str | None = None
    file: str | None = None

    @property
    def place(self) -> str:
        """The place in words, for messages."""
        if self.env is not None:
            return f"the environment variable {self.env}"
        return f"the file {self.file}"

    @property
    def code(self) -> str:
        """The call on :class:`Secret` that reads it, as Python source."""
        return f"from_env({self.env!r})" if self.env is not None else f"from_file({self.file!r})"

    def as_json(self) -> dict[str, str]:
        """Return the form that parameter files use."""
        return {"$env": self.env} if self.env is not None else {"$file": self.file or ""}


def read_reference(value: Any) -> SecretRef | None:
    """Return the reference that a value of a parameter file is, or None if it is none.

    Raises:
        ParamsError: If it has a key ``$env`` or ``$file`` but is no reference. The text
            never shows more of the value than its keys: it may hold the secret itself.
    """
    if not isinstance(value, dict) or not any(key in value for key in _KEYS):
        return None
    key, text = next(iter(value.items()))
    if len(value) > 1 or not isinstance(text, str):
        raise ParamsError(
            'a reference to a secret is {"$env": "NAME"} or {"$file": "path"} and nothing else'
        )
    if key == "$env" and not _ENV_NAME.fullmatch(text):
        raise ParamsError('"$env" takes the name of an environment variable: letters, digits, _')
    if key == "$file" and (not text or "\0" in text):
        raise ParamsError('"$file" takes the path of a file')
    return SecretRef(env=text) if key == "$env" else SecretRef(file=text)


def find_references(value: Any, path: str = "") -> Iterator[tuple[str, SecretRef]]:
    """Yield every reference inside a JSON-like value, with its dotted path.

    Raises:
        ParamsError: If one is malformed; the line begins with its path.
    """
    try:
        reference = read_reference(value)
    except ParamsError as error:
        raise ParamsError(*(f"{path}: {line}" for line in error.lines)) from None
    if reference is not None:
        yield path, reference
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from find_references(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from find_references(item, f"{path}[{index}]")


def open_references(value: Any) -> Any:
    """Return a JSON-like value with every reference in it replaced by its :class:`Secret`.

    Raises:
        ParamsError: If one of them cannot be read.
    """
    reference = read_reference(value)
    if reference is not None:
        return Secret(resolve(reference))
    if isinstance(value, dict):
        return {key: open_references(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [open_references(item) for item in value]
    return value


def resolve(
    reference: SecretRef, *, folder: Path | None = None, environ: Mapping[str, str] | None = None
) -> str:
    """Return the text of a secret.

    Args:
        reference: Where it is.
        folder: What a relative path starts from; the working folder if None.
        environ: The environment; that of this process if None.

    Raises:
        ParamsError: One line if it is not there, is empty, is no UTF-8 or is over 64 KiB.
    """
    if reference.env is not None:
        text = (os.environ if environ is None else environ).get(reference.env)
        if text is None:
            raise ParamsError(f"{reference.place} is not set: a secret is read from it. Set it.")
    else:
        text = _read(Path(folder or ".") / (reference.file or ""), reference.place)
    if not text:
        raise ParamsError(f"{reference.place} is empty: a secret is read from it. Fill it.")
    return text


def resolve_all(
    references: Mapping[str, SecretRef],
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    where: str = "",
) -> dict[str, str]:
    """Return the text of every secret, by its name.

    Raises:
        ParamsError: One line for each that cannot be read, beginning with ``where``.
    """
    texts: dict[str, str] = {}
    lines: list[str] = []
    for name, reference in references.items():
        try:
            texts[name] = resolve(reference, folder=folder, environ=environ)
        except ParamsError as error:
            prefix = f"{where}: " if where else ""
            lines += [f"{prefix}parameter '{name}': {line}" for line in error.lines]
    if lines:
        raise ParamsError(*lines)
    return texts


def _read(path: Path, place: str) -> str:
    try:
        if not path.is_file():
            raise ParamsError(f"{place} does not exist: a secret is read from it. Make it.")
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_BYTES + 1)
        if len(raw) > MAX_SECRET_BYTES:
            raise ParamsError(f"{place} is over 64 KiB: that is no secret. Check the path.")
        return raw.decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ParamsError(f"{place} cannot be read: {reason}. Check the path.") from None
    except ValueError:  # not UTF-8, or a NUL in the path; the reason could quote the secret
        raise ParamsError(f"{place} is no UTF-8 text. Save it as UTF-8.") from None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

"""The object that ``inputs()``, ``outputs()`` and their kin return: one attribute per entity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sinara.errors import suggest


class EntityUrls:
    """URLs of entities, each a plain string.

    ``urls.train_set`` and ``urls["train_set"]`` are the same. An entity whose name holds a dot
    (``eval.metrics``) is ``urls["eval.metrics"]`` or ``urls.eval_metrics``. Iterating gives the
    names in the order in which they were declared.
    """

    __slots__ = ("_full_names", "_urls", "_what")

    def __init__(self, what: str, urls: Mapping[str, str], full_names: Mapping[str, str]) -> None:
        self._what = what
        self._urls = dict(urls)
        self._full_names = dict(full_names)

    def fullname(self, entity_name: str) -> str:
        """Return ``env.pipeline.zone.step.entity`` of an entity."""
        return self._full_names[self._find(entity_name)]

    def __getattr__(self, name: str) -> str:
        if name.startswith("__"):  # copy and pickle look for methods that are not there
            raise AttributeError(name)
        if name.startswith("full_") and name not in self._urls:
            return self.fullname(name.removeprefix("full_"))
        return self._urls[self._find(name)]

    def __getitem__(self, name: str) -> str:
        return self._urls[self._find(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._urls)

    def __len__(self) -> int:
        return len(self._urls)

    def __contains__(self, name: object) -> bool:
        return name in self._urls

    def __dir__(self) -> list[str]:
        attributes = (name.replace(".", "_") for name in self._urls)
        return sorted({"fullname", *filter(str.isidentifier, attributes)})

    def __repr__(self) -> str:
        lines = [f"  {name}: {url}" for name, url in self._urls.items()]
        return "\n".join([f"{self._what}:", *lines]) if lines else f"{self._what}: none"

    def __reduce__(self) -> tuple[type[EntityUrls], tuple[str, dict[str, str], dict[str, str]]]:
        return EntityUrls, (self._what, self._urls, self._full_names)

    def _find(self, name: str) -> str:
        if name in self._urls:
            return name
        for known in self._urls:
            if known.replace(".", "_") == name:
                return known
        known_names = ", ".join(self._urls) or "none"
        advice = suggest(name, list(self._urls)) or "Declare it in substep.interface(...)."
        raise UnknownEntityError(
            f"{self._what}: no entity '{name}'; there is {known_names}. {advice}"
        )


class UnknownEntityError(AttributeError, KeyError):
    """An entity is asked for that the substep does not declare."""

    def __str__(self) -> str:
        return str(self.args[0])

"""Typed settings: frozen, validated, overridden by dotted keys.

A config is a tree of :class:`Settings`. Presets are Python values in the system's file; the command
line changes single leaves (``decoder.lambda_x=0.5``), and whatever is wrong with one is said in a
line that names the key and what is allowed.
"""

from __future__ import annotations

import csv
import difflib
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

C = TypeVar("C", bound="Settings")


class Settings(BaseModel):
    """Base of every config: frozen, unknown keys refused, floats finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )


def leaves(config: Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every setting as ``(dotted key, value)``, sections in order."""
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, Settings):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def override(config: C, changes: Mapping[str, Any], section: str = "") -> C:
    """Return ``config`` with dotted keys replaced and everything validated again.

    Args:
        config: The settings to start from.
        changes: Dotted key to new value; text is converted to the setting's type (``"0.5"``,
            ``"true"``, ``"a,b"``, ``"none"``).
        section: What the user calls this config (``"data"``), put before the keys in messages.

    Returns:
        A new config of the same class.

    Raises:
        ValueError: For an unknown key (the nearest one is named) or a value that is not allowed.
    """
    tree = config.model_dump()
    known = dict(leaves(config))

    for key, value in changes.items():
        if key not in known:
            raise _unknown(key, known, section)

        *parents, leaf = key.split(".")
        node, owner = tree, cast(Any, type(config))
        for parent in parents:
            node, owner = node[parent], owner.model_fields[parent].annotation

        if isinstance(value, str):
            value = _from_text(value, owner.model_fields[leaf].annotation)
        node[leaf] = value

    return build(type(config), tree, section)


def shortened(config: C, share: float) -> C:
    """The settings with every training length (``*.num_samples``) cut to ``share`` of it."""
    lengths: dict[str, int] = {}
    for key, value in leaves(config):
        if key.endswith(".num_samples"):
            lengths[key] = max(1, round(share * value))
    return override(config, lengths)


def build(kind: type[C], tree: Mapping[str, Any], section: str = "") -> C:
    """Validate a tree of plain values as ``kind``.

    Args:
        kind: The config's class.
        tree: Nested plain values, as :meth:`pydantic.BaseModel.model_dump` gives them.
        section: What the user calls this config, put before the keys in messages.

    Returns:
        The config.

    Raises:
        ValueError: In one line, naming the first wrong key, its value and what is allowed.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        path = list(map(str, first["loc"]))
        key = ".".join([section, *path] if section else path)
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            raise _unknown(".".join(path), _schema_keys(kind), section) from None

        given = "" if isinstance(first["input"], Mapping) else f" (given: {first['input']!r})"
        text = f"{key}: {message[:1].lower()}{message[1:]}{given}" if key else message
        raise ValueError(text) from None


def _unknown(key: str, known: typing.Iterable[str], section: str) -> ValueError:
    prefix = f"{section}." if section else ""
    names = [prefix + name for name in known]
    return ValueError(f"unknown setting {prefix + key!r}{suggest(prefix + key, names)}")


def suggest(name: str, allowed: typing.Iterable[str]) -> str:
    """Say which allowed name is nearest, ``"; did you mean 'x'?"``, or list a few that are not."""
    names = list(allowed)
    lowered = dict(zip(map(str.lower, names), names, strict=True))
    for match in difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5):
        return f"; did you mean {lowered[match]!r}?"

    # A setting's name without its section will do, too.
    last = name.rsplit(".", 1)[-1]
    for other in names:
        if other.rsplit(".", 1)[-1] == last:
            return f"; did you mean {other!r}?"

    return f"; allowed: {', '.join(names)}" if 0 < len(names) <= 20 else ""


def _schema_keys(kind: type[Settings], prefix: str = "") -> list[str]:
    keys = []
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            keys += _schema_keys(field.annotation, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def split_names(text: str) -> tuple[str, ...]:
    """Names separated by commas; one with a comma in it is put in double quotes."""
    (names,) = csv.reader([text]) if text else [[]]
    return tuple(filter(None, names))


def _from_text(text: str, annotation: Any) -> Any:
    """Turn a command line's text into something pydantic can check against ``annotation``."""
    is_union = typing.get_origin(annotation) in {typing.Union, types.UnionType}
    options = typing.get_args(annotation) if is_union else (annotation,)
    if text.lower() in {"none", "null"} and type(None) in options:
        return None

    for option in options:
        if typing.get_origin(option) is tuple:
            return split_names(text)

        # Of a choice that has numbers, the one that is written so.
        if typing.get_origin(option) is typing.Literal:
            for value in option.__args__:
                if str(value) == text:
                    return value

    return text

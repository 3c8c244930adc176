"""A file of settings, ``--config file.yaml``: what flags can say, and flags win over it.

Options stand by their names and settings in their sections, nested or with dots::

    data: jets.csv                # or a section, its address under source
    seed: 1
    decoder: {lambda_x: 0.5}
    data.label: jet1ID
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from scgan.config import leaves, suggest

if TYPE_CHECKING:
    import yaml

    from scgan.config import Settings
    from scgan.pipeline.spec import Spec

OWN = ("config", "changes", "dump_config")  # options that make no sense within a file


class Configurable(click.Command):
    """A command that takes ``--config``: a file's words stand before those that are typed."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        if (path := given.get("config")) is not None:
            args = [*words_of(path, self, given), *args]
        return super().parse_args(ctx, args)


def words_of(path: str, command: click.Command, given: Mapping[str, Any]) -> list[str]:
    """What a file says, as the words that would say it on a command line.

    Args:
        path: A YAML file.
        command: Whose options may stand in it.
        given: Options that are on the command line; of those that can be repeated, the file's are
            left out.

    Raises:
        ValueError: For a file that can't be read, or a key that is neither an option nor in a
            section.
    """
    options = {option.name: option for option in command.params if option.name not in OWN}
    options["json"] = options.pop("as_json")
    words: list[str] = []

    for key, value in _said(path):
        name = key.replace("-", "_")
        if name == "data.source":
            name = "data"

        option = options.get(name)
        if option is None and "." not in name:
            raise ValueError(f"{path}: unknown setting {key!r}{suggest(name, options)}")
        if option is None:
            words += ["--set", f"{name}={_text(value)}"]
        elif not (option.multiple and given.get(str(option.name))):
            words += _option(f"{path}: {key}", option, value)

    return words


def _option(place: str, option: click.Parameter, value: str | list[str]) -> list[str]:
    """The words of one option."""
    flag = option.opts[0]
    if isinstance(option, click.Option) and option.is_flag:
        if value not in ("true", "false"):
            raise ValueError(f"{place} is true or false (given: {value!r})")
        return [flag] if value == "true" else []

    values = value if isinstance(value, list) and option.multiple else [_text(value)]
    return [f"{flag}={each}" for each in values]


def _said(path: str) -> Iterator[tuple[str, str | list[str]]]:
    """Dotted keys and values of a file, all as they are written there."""
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            tree = _loader()(file).get_single_data()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML: {error}") from None

    if tree is not None and not isinstance(tree, dict):
        raise ValueError(f"{path}: a file of settings has lines such as 'seed: 1'")
    yield from _flat(path, tree or {}, "")


def _flat(path: str, tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flat(path, value, f"{key}.")
        elif value == "":
            raise ValueError(f"{path}: {key} has no value; write none, or [] for no names")
        elif isinstance(value, list) and not all(isinstance(each, str) for each in value):
            raise ValueError(f"{path}: {key} is a list of lists; it may hold names alone")
        else:
            yield key, value


def _loader() -> type[yaml.BaseLoader]:
    """YAML whose values stay the text that is written, so that they are read as a flag's are."""
    import yaml

    class Loader(yaml.BaseLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key!r} stands there twice", node.start_mark
                    )

            return super().construct_mapping(node, deep)

    return Loader


def _text(value: str | list[str]) -> str:
    """A value as a flag has it; a name with a comma in double quotes."""
    if isinstance(value, str):
        return value

    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(value)
    return line.getvalue()


def dump(spec: Spec, store: str) -> str:
    """A run as a file that ``--config`` takes back: every setting, whatever preset it is from."""
    import yaml

    tree = {"system": spec.system, "seed": spec.seed, "store": store}
    sections = {"data": _tree(spec.data), **_tree(spec.config)}
    return yaml.safe_dump({**tree, **sections}, sort_keys=False, allow_unicode=True)


def _tree(config: Settings) -> dict[str, Any]:
    """Settings in their sections, as a flag would say them."""
    tree: dict[str, Any] = {}
    for key, value in leaves(config):
        *sections, name = key.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})

        if value is None:
            value = "none"
        place[name] = list(value) if isinstance(value, tuple) else value
    return tree

"""params.yaml: one section of it becomes one frozen dataclass, strictly."""

import dataclasses
import difflib
import re
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from camtraps.errors import MissingError, ParamsError

T = TypeVar("T")

PARAMS_PATH = Path("params.yaml")


class _Loader(yaml.SafeLoader):
    """YAML with 1.2 floats, days as text, and no key twice.

    DVC writes ``-S train.learning_rate=1e-5`` as ``1e-05``, which YAML 1.1 (plain PyYAML) reads as a string.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: list[Any] = []
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in keys:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            keys.append(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)$"),
    list("-+0123456789."),
)


def load(cls: type[T], section: str, path: Path = PARAMS_PATH) -> T:
    """Read one section of a params file into its dataclass.

    Args:
        cls: a dataclass with one typed field a key; a key whose field has a default may be left out; its
            ``__post_init__`` may raise ValueError for values out of range, and its ``filled``, if it has one, turns the
            section into one with the values that stand for others.
        section: the top-level key, for instance ``split``.
        path: the YAML file.

    Raises:
        MissingError: the file does not exist.
        ParamsError: a key is missing, unknown, of the wrong type or out of range; the message names the place.
    """
    document = read(path)
    if section not in document:
        raise ParamsError(
            f"{path}: section {section!r} is missing; it has {', '.join(map(str, document)) or 'nothing'}"
        )
    given = document[section]
    place = f"{path}: {section}"
    if not isinstance(given, dict):
        raise ParamsError(f"{place}: expected keys and values, got {given!r}")
    given = getattr(cls, "filled", dict)(given)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in given:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(fields)}"
            raise ParamsError(f"{place}.{key}: unknown key{hint}")
    hints = typing.get_type_hints(cls)
    values = {}
    for name in fields:
        if name in given:
            values[name] = _convert(given[name], hints[name], f"{place}.{name}")
        elif fields[name].default is dataclasses.MISSING:
            raise ParamsError(f"{place}.{name}: missing; add it to the section {section!r}")
    try:
        return cls(**values)
    except ValueError as error:
        raise ParamsError(f"{place}.{error}") from None


def check_range(owner: object, **ranges: tuple[float | None, float | None]) -> None:
    """Check numeric fields of a params dataclass, for its ``__post_init__``.

    Args:
        owner: the dataclass instance.
        ranges: field name = (lowest, highest) allowed value, None for no limit. A field that is None passes.

    Raises:
        ValueError: the first value out of range, as ``name: must be between LOW and HIGH, got VALUE``.
    """
    for name, (low, high) in ranges.items():
        value = getattr(owner, name)
        if value is None or ((low is None or value >= low) and (high is None or value <= high)):
            continue
        allowed = f"at least {low}" if high is None else f"at most {high}" if low is None else f"from {low} to {high}"
        raise ValueError(f"{name}: must be {allowed}, got {value}")


def read(path: Path) -> dict[str, Any]:
    """Read the sections of a YAML file.

    Raises:
        MissingError: the file does not exist.
        ParamsError: it is no YAML, or has no sections.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingError(f"{path}: not found; run the command in the top folder of the repository") from None
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read as a file: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    try:
        document = yaml.load(text, Loader=_Loader)  # a SafeLoader, only stricter
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ParamsError(
            f"{place}: not valid YAML: {getattr(error, 'problem', None) or error}".splitlines()[0]
        ) from None
    if document is None:  # nothing but comments
        return {}
    if not isinstance(document, dict):
        raise ParamsError(f"{path}: expected sections, got {document!r}")
    return document


def _convert(value: Any, hint: Any, place: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return None if value is None else _convert(value, options[0], place)
    if origin is typing.Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise ParamsError(f"{place}: expected one of {', '.join(map(str, allowed))}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ParamsError(f"{place}: expected a list, got {value!r}")
        return tuple(_convert(item, typing.get_args(hint)[0], f"{place}[{at}]") for at, item in enumerate(value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # bool is a subclass of int, so isinstance alone would take `epochs: true`.
    if type(value) is not hint:
        raise ParamsError(f"{place}: expected {hint.__name__}, got {value!r}")
    return value

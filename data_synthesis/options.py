"""How do a YAML file, `key=value` and `--key value` become one command line? By being turned into flags, in order."""

import argparse
from collections.abc import Collection, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from genrec.run.arguments import is_secret

Config = TypeVar("Config")
BARE = ("--overwrite", "--quiet", "--public", "--help")


def expand(words: Sequence[str]) -> list[str]:
    """Replaces `--config FILE` by the flags in it, put first so that the command line wins, and `a=b` by `--a=b`.

    Args:
        words: The command and what follows it.

    Returns:
        The command, then flags and positional words only.

    Raises:
        ValueError: The file is no mapping of names to plain values, or a word holds a credential; the message
            does not show it.
    """
    from_files: list[str] = []
    rest: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--config" and at + 1 < len(words):
            at += 1
            from_files += _flags_of(Path(words[at]))
        elif word.startswith("--config="):
            from_files += _flags_of(Path(word.partition("=")[2]))
        else:
            is_pair = not _takes_value(words[at - 1] if at else "") and word.partition("=")[0].isidentifier()
            is_pair = is_pair and "=" in word
            rest.append(f"--{word}" if is_pair else word)
        at += 1
    for flag in (*from_files, *rest):
        _refuse_secret(flag.partition("=")[0])
    return [*rest[:1], *from_files, *rest[1:]]


def add_settings(parser: argparse.ArgumentParser, cls: type, title: str, known: Collection[str] = ()) -> None:
    """Adds one flag per field of a configuration dataclass, with its help text and default.

    Args:
        parser: Where to.
        cls: The dataclass.
        title: Heading in the help.
        known: Fields that have a flag already.
    """
    group = parser.add_argument_group(title)
    for entry in (entry for entry in fields(cls) if entry.name not in known):
        kind = type(entry.default)
        bare: dict[str, Any] = {"type": _truth, "nargs": "?", "const": True} if kind is bool else {"type": kind}
        group.add_argument(
            f"--{entry.name}",
            **bare,
            default=entry.default,
            choices=entry.metadata.get("choices"),
            help=f"{entry.metadata['help']} (default: {entry.default!r})".replace("%", "%%"),
        )


def settings(options: argparse.Namespace, cls: type[Config]) -> Config:
    """The configuration that the parsed flags mean.

    Raises:
        ValueError: A value breaks a rule of the dataclass.
    """
    return cls(**{entry.name: getattr(options, entry.name) for entry in fields(cls)})  # type: ignore[arg-type]


def _truth(word: str) -> bool:
    """What `true` or `false` means; `bool("false")` would be true."""
    if word.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{word!r} is neither true nor false")
    return word.lower() == "true"


def _takes_value(word: str) -> bool:
    """Whether the next word is this flag's value, whatever it looks like."""
    return word.startswith("--") and "=" not in word and word not in BARE


def _flags_of(path: Path) -> list[str]:
    """The entries of a YAML file as flags; `true` is a bare flag, `false` and null are left out."""
    if not path.is_file():
        raise ValueError(f"{path}: there is no such configuration file")
    found: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(found, dict) or any(isinstance(value, (dict, list)) for value in found.values()):
        raise ValueError(f"{path} must hold lines of the form `name: value`")
    for name in found:
        _refuse_secret(f"--{name}")
    kept = {name: value for name, value in found.items() if value is not None and value is not False}
    return [f"--{name}" if value is True else f"--{name}={value}" for name, value in kept.items()]


def _refuse_secret(flag: str) -> None:
    """A key on the command line ends up in shell histories and process lists."""
    if flag.startswith("--") and is_secret(flag.lstrip("-")):
        raise ValueError(f"{flag} is not taken here: export the key as an environment variable (see --api_key_env)")

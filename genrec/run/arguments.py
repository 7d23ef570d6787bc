"""How does a recipe read its YAML and command line?

`TrlParser` does the work (YAML defaults, command line overrides, unknown key = error); this module adds the
default setting, so that a recipe without any flag runs the small one, and a `--help` that says so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

VOCABULARY_TOKENS = frozenset(f"{kind}_token" for kind in ("bos", "eos", "pad", "unk", "sep", "cls", "mask"))


@dataclass
class StageArguments:
    """What every stage of every system understands."""

    run_dir: str = field(
        default="runs/default",
        metadata={"help": "Run folder: each stage reads its predecessors from it and writes its own subfolder."},
    )
    if_done: str = field(
        default="rerun",
        metadata={
            "help": "When this stage has already finished with the same settings: 'rerun' trains again and keeps "
            "the old folder as <stage>.previous; 'skip' leaves it as it is. An unfinished one goes on, or becomes "
            "<stage>.aborted when the settings are others.",
            "choices": ["rerun", "skip"],
        },
    )
    estimate: bool = field(
        default=False,
        metadata={"help": "Print tokens, FLOPs, time and memory of this stage on this machine, and stop."},
    )

    def __post_init__(self) -> None:
        """Refuse values outside the choices (YAML values do not pass argparse's check)."""
        if self.if_done not in ("rerun", "skip"):
            raise ValueError(f"if_done is {self.if_done!r}; it must be 'rerun' or 'skip'.")


def with_default_config(argv: Sequence[str], default_config: Path) -> list[str]:
    """Put `--config default_config` in front unless the command line names a config itself.

    Args:
        argv: command line without the program name.
        default_config: YAML of the small setting for this stage.

    Returns:
        The command line for `TrlParser`.
    """
    split = [part for arg in argv for part in (arg.split("=", 1) if arg.startswith("--config=") else [arg])]
    if "--config" in split or "-h" in split or "--help" in split:
        return split
    return ["--config", str(default_config), *split]


def parse_stage(
    dataclass_types: Sequence[type[Any]],
    default_config: Path,
    description: str | None = None,
    argv: Sequence[str] | None = None,
) -> tuple[Any, ...]:
    """Parse a recipe's settings: dataclass defaults < YAML < command line.

    Args:
        dataclass_types: one dataclass per group of settings, e.g. `(AlignArguments, SFTConfig)`.
        default_config: YAML used when no `--config` is given.
        description: text at the top of `--help`, usually the recipe's docstring.
        argv: command line without the program name; `sys.argv[1:]` when None.

    Returns:
        One instance per dataclass type.

    Raises:
        ValueError: for a config file that is missing, a key nobody knows, or a value of the wrong kind.
    """
    from trl import TrlParser

    arguments = with_default_config(sys.argv[1:] if argv is None else argv, default_config)
    # Whole names only: the settings' names say what is a credential and must not be recorded.
    parser = TrlParser(list(dataclass_types), description=description, allow_abbrev=False)
    if "--config" in arguments:
        _check_config_path(Path(arguments[arguments.index("--config") + 1 :][0]))
    return tuple(parser.parse_args_and_config(args=arguments))


def _check_config_path(path: Path) -> None:
    """Say which settings exist when the named one does not."""
    if not path.is_file():
        shipped = sorted(str(p) for p in Path("recipes/configs").rglob("*.yaml"))
        raise ValueError(f"config file '{path}' does not exist. Shipped ones: {', '.join(shipped) or 'none here'}.")


def settings_of(*configs: Any) -> dict[str, Any]:
    """Flatten dataclasses to plain JSON values, secrets left out.

    Args:
        configs: dataclass instances.

    Returns:
        Name -> value of every init field; tokens and keys are never included.
    """
    settings: dict[str, Any] = {}
    for config in configs:
        for item in fields(config):
            if item.init and not is_secret(item.name):
                settings[item.name] = _plain(getattr(config, item.name))
    return settings


def is_secret(name: str) -> bool:
    """True for settings that may hold a credential; tokens of a vocabulary (eos_token) do not."""
    plain = name.lower().replace("-", "_")
    return plain not in VOCABULARY_TOKENS and plain.endswith(("token", "api_key", "password", "secret"))


def _plain(value: Any) -> Any:
    """JSON-able form of a setting's value."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if not is_secret(str(k))}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value)

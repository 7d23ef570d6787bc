"""What can be set in each GREAM stage? One dataclass per stage; the YAML files and `--help` are made from these.

Trainer settings (learning rate, batch, steps, precision) are TRL's own `SFTConfig` and `SRPOConfig` and stand in the
same YAML file.
"""

from gream.settings.evaluation import EvalArguments
from gream.settings.index import IndexArguments
from gream.settings.reading import read_columns, read_options
from gream.settings.training import (
    AlignArguments,
    CotArguments,
    ReasonArguments,
    SrpoArguments,
    SupervisedArguments,
    TrainingStageArguments,
)

__all__ = [
    "AlignArguments",
    "CotArguments",
    "EvalArguments",
    "IndexArguments",
    "ReasonArguments",
    "SrpoArguments",
    "SupervisedArguments",
    "TrainingStageArguments",
    "read_columns",
    "read_options",
]

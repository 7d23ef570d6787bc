"""How a stage starts and ends: arguments, locks, seeds, resume, provenance, estimates."""

from genrec.run.arguments import StageArguments, parse_stage
from genrec.run.session import Session, stage_session

__all__ = ["Session", "StageArguments", "parse_stage", "stage_session"]

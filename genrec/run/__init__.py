"""How a stage starts and ends: arguments, locks, seeds, resume, provenance, estimates."""

from genrec.run.arguments import StageArguments, parse_stage
from genrec.run.session import Session, stage_session
from genrec.run.state import finished_stages

__all__ = ["Session", "StageArguments", "finished_stages", "parse_stage", "stage_session"]

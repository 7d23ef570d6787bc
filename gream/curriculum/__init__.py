"""How is reasoning mixed into alignment? Schedule, rows and sampler of the curriculum of METHODS 1.3."""

from gream.curriculum.rows import build_reasoning_rows, join_rows
from gream.curriculum.sampler import CurriculumSampler
from gream.curriculum.schedule import (
    SCHEDULES,
    Schedule,
    curriculum_schedule,
    insertion_probability,
    mix_over_steps,
)

__all__ = [
    "SCHEDULES",
    "CurriculumSampler",
    "Schedule",
    "build_reasoning_rows",
    "curriculum_schedule",
    "insertion_probability",
    "join_rows",
    "mix_over_steps",
]

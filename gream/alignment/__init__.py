"""Which examples teach a language model the items' new language? The alignment tasks as token rows."""

from gream.alignment.build import build_alignment_rows
from gream.alignment.config import AlignmentConfig
from gream.alignment.counts import packing_counts, row_counts

__all__ = ["AlignmentConfig", "build_alignment_rows", "packing_counts", "row_counts"]

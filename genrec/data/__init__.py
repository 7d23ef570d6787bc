"""From raw logs to time-ordered histories, splits and a catalogue, with the file schemas others share."""

from genrec.data.catalogue import Catalogue
from genrec.data.chains import Chain, read_chains, validate, write_chains
from genrec.data.dataset import Dataset
from genrec.data.errors import DataError
from genrec.data.escape import escape_text
from genrec.data.load import load_dataset
from genrec.data.split import Split, Targets

__all__ = [
    "Catalogue",
    "Chain",
    "DataError",
    "Dataset",
    "Split",
    "Targets",
    "escape_text",
    "load_dataset",
    "read_chains",
    "validate",
    "write_chains",
]

"""Bring GRASP's neighbour store up to date: encodes what changed, redoes the lists that this touches, swaps whole.

python recipes/grasp_refresh.py
python recipes/grasp_refresh.py --config recipes/configs/grasp/beauty/train.yaml --store runs/stores/beauty

Meant for a daily job. It reads the settings of grasp_train.py. Readers go on with the old generation until they ask for
the newest (`NeighbourStore.newest`); a killed refresh leaves the old one in place.
"""

from pathlib import Path

from genrec.run import parse_stage
from genrec.run.processes import configure_logging
from genrec.versions import check
from llmrec.grasp.settings import GraspArguments

CONFIG = Path(__file__).parent / "configs/grasp/ml100k/train.yaml"


def main() -> None:
    """Refresh and say what was done."""
    (arguments,) = parse_stage([GraspArguments], CONFIG, __doc__)
    check()
    configure_logging()
    from genrec.run.rankers.train import load_data
    from llmrec.grasp.build import refreshed_store

    store, reports = refreshed_store(*load_data(arguments), arguments)
    for side, done in reports.items():
        print(
            f"{side}: {done.rows} rows, {done.encoded} texts encoded, {done.relisted} neighbour lists redone, "
            f"{done.removed} removed"
        )
    print(f"current: {store.folder / store.generation}")


if __name__ == "__main__":
    main()

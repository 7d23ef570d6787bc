"""Which batches are at the server, and which requests are in them? A small file that survives a kill."""

from dataclasses import asdict, dataclass
from pathlib import Path

from genrec.data.files import read_json, write_json


@dataclass
class Sent:
    """One uploaded file of requests.

    Attributes:
        file: Id of the file at the server.
        names: Ids of the requests in it that are still waited for.
        batch: Id of the batch; "" between the upload and the server's answer to the creation.
    """

    file: str
    names: list[str]
    batch: str = ""


class BatchState:
    """The file; every change is written whole before the next step begins.

    Args:
        path: The file; a missing one means that nothing was sent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sent: list[Sent] | None = None
        self._where: dict[str, Sent] = {}

    def holding(self, name: str) -> Sent | None:
        """The batch that a request is in, or None."""
        self._read()
        return self._where.get(name)

    def uploaded(self, file: str, names: list[str]) -> Sent:
        """Notes an upload; from here on a batch of this file may exist."""
        sent = Sent(file, names)
        self._read().append(sent)
        self._where |= dict.fromkeys(names, sent)
        self._write()
        return sent

    def created(self, sent: Sent, batch: str) -> None:
        """Notes the batch of a file."""
        sent.batch = batch
        self._write()

    def forget(self, name: str) -> None:
        """A request is not waited for any longer and may be sent again; the journal decides after a restart."""
        self._where.pop(name).names.remove(name)
        self._write()

    def drop(self, sent: Sent) -> None:
        """Forgets a whole batch, which the server refused."""
        self._read().remove(sent)
        self._where = {name: other for name, other in self._where.items() if other is not sent}
        self._write()

    def _read(self) -> list[Sent]:
        if self._sent is None:  # at first use, when the job's journal keeps other processes out
            found = read_json(self._path) if self._path.exists() else []
            self._sent = [Sent(**entry) for entry in found]
            self._where = {name: sent for sent in self._sent for name in sent.names}
        return self._sent

    def _write(self) -> None:
        write_json(self._path, [asdict(sent) for sent in self._read() if sent.names])

"""TensorBoard: event files under tensorboard/ in the run folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.errors import require
from fullconv.io.settings_file import to_yaml
from fullconv.training.run.trackers import Numbers, trackers

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


SETTINGS = "settings"  # tag of the text


@trackers.register("tensorboard")
class TensorBoard:
    """Event files for `tensorboard --logdir RUN`; a resumed run adds another file."""

    _writer: "SummaryWriter"

    def __init__(self) -> None:
        require("tensorboard", extra="tensorboard", what="--track tensorboard")

    def begin(self, folder: Path, name: str, settings: Mapping[str, object]) -> int:
        """See `Tracker`. The last step is read from the event files themselves."""
        from torch.utils.tensorboard import SummaryWriter

        events = folder / "tensorboard"
        resumed = events.is_dir()
        step = last_step(events) if resumed else 0
        self._writer = SummaryWriter(str(events))
        if not resumed:
            indented = to_yaml(dict(settings)).replace("\n", "\n    ")
            self._writer.add_text(SETTINGS, f"    {indented}", 0)  # a Markdown code block
        return step

    def log(self, step: int, numbers: Numbers) -> None:
        """See `Tracker`."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def end(self, finished: bool) -> None:
        """See `Tracker`."""
        self._writer.close()


def last_step(folder: Path) -> int:
    """Return the highest step in a folder of event files; truncated records are ignored."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    files = sorted(folder.glob("*tfevents*"))
    records = (record for file in files for record in RawEventFileLoader(str(file)).Load())
    return max((int(Event.FromString(record).step) for record in records), default=0)

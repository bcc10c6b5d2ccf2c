"""Watch run folders: a better checkpoint replaces the model that is served."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from fullconv.errors import ConfigError, FullconvError, printable
from fullconv.serving._models import FileState, ServedModel, file_state, open_served_model
from fullconv.serving._service import Service
from fullconv.serving._warm_up import warm_up_model

logger = logging.getLogger("fullconv.serving")


class Watcher:
    """Replace models whose run folders have other checkpoints than those that were loaded.

    A file is loaded once two looks have found it the same, and predicts once before it replaces
    the model. A request keeps the model that it began with.

    Args:
        service: whose models are replaced.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        # What was loaded or refused, and what the last look found.
        self._done = {name: served.state for name, served in watched_models(service.models).items()}
        self._seen = dict(self._done)

    async def run(self, seconds: float) -> None:
        """Look again and again.

        Args:
            seconds: between two looks.
        """
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Look at all folders once; load what has changed and is complete."""
        for name, done in self._done.items():
            served = self._service.models[name]
            found = file_state(served.path)
            settled, self._seen[name] = found == self._seen[name], found
            if found is not None and found != done and settled:
                self._done[name] = self._load(served, found)

    def _load(self, served: ServedModel, found: FileState) -> FileState:
        """Replace a model; return the state of its file that this deals with."""
        try:
            device = str(next(served.model.network.parameters()).device)
            options = replace(served.options, measure=True, announce=logger.info)
            new = open_served_model(served.name, served.path, device, options)
            found = new.state or found
            if new.fingerprint == served.fingerprint:
                return found
            check_same_classes(served, new)
            warm_up_model(new)
        except FullconvError as error:
            logger.warning(
                "model %s: %s; the model %s stays", served.name, error, served.fingerprint
            )
            return found
        except Exception:
            logger.exception(
                "model %s: the new checkpoint fails, so the model %s stays",
                served.name,
                served.fingerprint,
            )
            return found
        self._service.replace_model(new)
        logger.info("model %s: %s replaces %s", served.name, new.fingerprint, served.fingerprint)
        return found


def watched_models(models: Mapping[str, ServedModel]) -> dict[str, ServedModel]:
    """Return the models that were loaded from run folders.

    Raises:
        ConfigError: there are none.
    """
    found = {name: served for name, served in models.items() if served.is_folder}
    if not found:
        raise ConfigError("--watch needs a run folder among the models, and there is none")
    return found


def check_same_classes(served: ServedModel, new: ServedModel) -> None:
    """Check that clients of a model can continue with another one.

    Raises:
        ConfigError: it has other classes.
    """
    if new.model.classes != served.model.classes:
        names = printable(", ".join(new.model.classes)[:200])
        raise ConfigError(
            f"{served.path} now has other classes ({names}), which clients do not expect; restart "
            "the server to serve it"
        )

"""One step of learning: a batch in, better weights out, or none where the numbers went astray."""

import math
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from fullconv.config import TrainConfig
from fullconv.data.sample import Batch
from fullconv.errors import ConfigError, DivergedError
from fullconv.training.distributed import ProcessGroup, gradients_stay, shared
from fullconv.training.losses import Loss
from fullconv.training.optim import make_optimizer
from fullconv.training.sampler import dropout_seed

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrainStep:
    """A network with what it takes to change its weights.

    Args:
        network: it is moved to the device, and trained in place.
        loss: what is to become small.
        config: how.
        parts: pieces of a batch whose gradients are added up, one after the other.
        device: where it is computed.
        team: the processes that share each batch.

    Raises:
        ConfigError: what is asked for cannot be shared.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        config: TrainConfig,
        parts: int,
        device: torch.device,
        team: ProcessGroup,
    ) -> None:
        self.network, self.loss, self.config = network, loss, config
        self.parts, self.device, self.team = parts, device, team
        self.layout = torch.channels_last if config.channels_last else torch.preserve_format
        network.to(device).to(memory_format=self.layout)
        if config.sync_bn:
            nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        self.forward = shared(network, config, device, team)
        self.optimizer = make_optimizer(network, config)
        self.scaler = torch.GradScaler(device.type, enabled=config.precision == "fp16")

    def learn(self, batch: Batch, done: int) -> float:
        """Take one step on a batch at the optimiser's present rate; gives the loss before it.

        Args:
            batch: this process's share of it.
            done: steps before this one.

        Raises:
            DivergedError: a loss or gradient is not finite; the weights are those before the step.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._gradients(batch, done)
        self._check_gradients(batch.names, done)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def _gradients(self, batch: Batch, done: int) -> float:
        """Let every part add its gradients; gives the whole batch's loss."""
        labels = batch.labels.to(self.device)
        alone = self.parts * self.team.size == 1
        whole = None if alone else self.team.all_reduce_sum(self.loss.amounts(labels))
        total = 0.0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(dropout_seed(self.config.seed, done, self.team.rank))
            split = batch.image.tensor_split(self.parts), labels.tensor_split(self.parts)
            for number, (image, truth) in enumerate(zip(*split, strict=True), 1):
                last = number == self.parts
                with nullcontext() if last else gradients_stay(self.forward):
                    loss = self.loss(self._score(image), truth, whole)
                    total += self.team.all_reduce_sum(loss.detach().clone()).item()
                    if not math.isfinite(total):
                        raise self._diverged("loss", total, batch.names, done)
                    # The processes' gradients are averaged, and are parts of a sum.
                    scaled = self.scaler.scale(loss * self.team.size)
                    scaled.backward()  # type: ignore[no-untyped-call]
        return total

    def _score(self, image: Tensor) -> Tensor:
        image = image.to(self.device, memory_format=self.layout)
        precision = PRECISIONS.get(self.config.precision)
        with torch.autocast(self.device.type, precision, enabled=precision is not None):
            try:
                score: Tensor = self.forward(image)
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                raise ConfigError(
                    f"{self.config.model} normalizes by the mean of what it sees at once, which is "
                    f"a single value here: {len(image)} photo of {image.shape[2]} x "
                    f"{image.shape[3]} at its coarsest; take a larger --batch or --crop, fewer "
                    "processes or parts (accumulate), or a network without batch norm"
                ) from error
        return score

    def _check_gradients(self, names: tuple[str, ...], done: int) -> None:
        """Stop before a gradient that is not finite reaches the weights; clip them."""
        self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if not norm.isfinite() and not self.scaler.is_enabled():
            raise self._diverged("gradient's norm", norm.item(), names, done)
        if self.config.clip:
            torch.nn.utils.clip_grads_with_norm_(self.network.parameters(), self.config.clip, norm)

    def _diverged(
        self, what: str, value: float, names: tuple[str, ...], done: int
    ) -> DivergedError:
        return DivergedError(
            f"the {what} became {value} at step {done + 1}, on the samples "
            f"{', '.join(names)}; the weights are those before that step: "
            f"try a lower rate than --lr {self.config.learning_rate:g}"
        )

"""One optimization step; it raises before a non-finite loss or gradient reaches the weights."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from fullconv.config import TrainConfig
from fullconv.data.batches import Batch
from fullconv.errors import ConfigError, DivergedError
from fullconv.networks.fcn import FCN
from fullconv.training.batch_norm import set_training_mode
from fullconv.training.distributed import ProcessGroup, no_gradient_sync, wrap_network
from fullconv.training.folded_norms import FoldedNorms
from fullconv.training.losses import Loss
from fullconv.training.losses.heads import HeadsLoss
from fullconv.training.optim import make_optimizer
from fullconv.training.parallel_parts import Maps, ParallelParts
from fullconv.training.sampler import dropout_seed, seeded
from fullconv.training.target import MIN_WEIGHT, soft_cross_entropy, soft_weight

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrainStep:
    """The forward pass, backward pass and optimizer update on one batch.

    Args:
        network: moved to the device and trained in place.
        loss: the loss to minimize.
        config: of the training.
        parts: number of parts of a batch that are computed one after the other.
        at_once: number of parts, of each of these, that are computed at the same time.
        device: of the network.
        group: the processes that share each batch.

    Raises:
        ConfigError: the settings cannot be used with several processes.
    """

    def __init__(
        self,
        network: FCN,
        loss: Loss | HeadsLoss,
        config: TrainConfig,
        parts: int,
        at_once: int,
        device: torch.device,
        group: ProcessGroup,
    ) -> None:
        self.network, self.loss, self.config = network, loss, config
        self.parts, self.device, self.group = parts, device, group
        self.layout = torch.channels_last if config.channels_last else torch.preserve_format
        network.to(device).to(memory_format=self.layout)
        if config.sync_bn:
            nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        self.forward = wrap_network(network, config, device, group)
        self.optimizer = make_optimizer(network, config)  # marks what is frozen
        self.parallel = ParallelParts(network, at_once) if at_once > 1 else None
        networks = self.parallel.networks if self.parallel else (network,)
        self.folded = [FoldedNorms(each) for each in networks if self._folds_norms]
        self.scaler = torch.GradScaler(device.type, enabled=config.precision == "fp16")

    @property
    def _folds_norms(self) -> bool:
        """Whether frozen batch norms are computed by the convolutions before them."""
        return (
            self.config.freezes_bn
            and self.config.precision == "fp32"
            and self.device.type == "cpu"
            and self.forward is self.network
        )

    def __call__(self, batch: Batch, done: int) -> float:
        """Update the weights at the optimizer's learning rates; return the loss before the update.

        Args:
            batch: this process's part of the batch.
            done: number of steps before this one.

        Raises:
            DivergedError: the loss or a gradient is not finite; the weights are unchanged.
        """
        set_training_mode(self.network, self.config.freezes_bn)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._compute_gradients(batch, done)
        self._check_gradients(batch.names, done)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def _compute_gradients(self, batch: Batch, done: int) -> float:
        """Accumulate the gradients of all parts; return the loss of the whole batch."""
        labels = batch.labels.to(self.device)
        undivided = self.parts * self.group.size == 1
        totals = None if undivided else self.group.all_reduce_sum(self.loss.normalizers(labels))
        total_loss = 0.0
        with seeded(dropout_seed(self.config.seed, done, self.group.rank), self.device):
            parts = batch.image.tensor_split(self.parts), labels.tensor_split(self.parts)
            soft = self._soft_parts(batch)
            soft_total = self._soft_total(soft, parts[1])
            for number, (image, target) in enumerate(zip(*parts, strict=True), 1):
                last = number == self.parts
                with nullcontext() if last else no_gradient_sync(self.forward):
                    maps = self._maps(image)
                    joined = self.parallel.joined(maps) if self.parallel else {}
                    score = self._score(image, joined)
                    loss = self.loss(score, target, totals)
                    if soft:
                        given = soft[number - 1], soft_total
                        loss = self._with_teacher(loss, score, target, *given)
                    total_loss += self.group.all_reduce_sum(loss.detach().clone()).item()
                    if not math.isfinite(total_loss):
                        raise self._diverged("loss", total_loss, batch.names, done)
                    # DDP averages the gradients of the processes; this loss is a part of a sum.
                    scaled = self.scaler.scale(loss * self.group.size)
                    scaled.backward()  # type: ignore[no-untyped-call]
                    if self.parallel:
                        self.parallel.backward(maps, joined)
        return total_loss

    def _maps(self, image: Tensor) -> tuple[Maps, ...]:
        """Return the backbone's maps of each part that is computed at the same time, or ()."""
        if not self.parallel:
            return ()
        with self._folding():
            return self.parallel.maps(self._features, image)

    @contextmanager
    def _folding(self) -> Iterator[None]:
        with ExitStack() as folding:
            for each in self.folded:
                folding.enter_context(each.applied())
            yield

    def _soft_parts(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return the teacher's probabilities of each part; () without a teacher."""
        return () if batch.soft is None else batch.soft.to(self.device).tensor_split(self.parts)

    def _soft_total(self, soft: tuple[Tensor, ...], labels: tuple[Tensor, ...]) -> Tensor:
        """Return the total weight of the teacher's probabilities of all parts; 0 without any."""
        parts = zip(soft, labels, strict=False)
        weights = [soft_weight(*part, self.loss.weights) for part in parts]
        return torch.stack(weights).sum() if weights else torch.zeros((), device=self.device)

    def _with_teacher(
        self, loss: Tensor, score: Tensor, labels: Tensor, soft: Tensor, soft_total: Tensor
    ) -> Tensor:
        """Return the loss with the share of the teacher's probabilities in it.

        Args:
            loss: of the labels.
            score: of the images.
            labels: of the images.
            soft: the teacher's probabilities.
            soft_total: `_soft_total` of the whole batch, so that the parts add up to its mean.
        """
        entropy = soft_cross_entropy(score, soft, labels, self.loss.weights)
        share = self.config.teacher_weight
        return (1 - share) * loss + share * entropy / soft_total.clamp(min=MIN_WEIGHT)

    def _features(self, network: FCN, image: Tensor) -> Maps:
        """Return the backbone's maps of a part of the batch."""
        with self._computing(image):
            return network.features(image.to(self.device, memory_format=self.layout))

    def _score(self, image: Tensor, maps: Maps) -> Tensor:
        """Return the scores of images, from the backbone's maps of them if they are there."""
        with self._computing(image), self._folding():
            score: Tensor = (
                self.network.scores(maps, image.shape[-2:])
                if maps
                else self.forward(image.to(self.device, memory_format=self.layout))
            )
        return score

    @contextmanager
    def _computing(self, image: Tensor) -> Iterator[None]:
        """Compute in the precision that was asked for; say what batch norm needs.

        Raises:
            ConfigError: batch norm has a single value per channel.
        """
        precision = PRECISIONS.get(self.config.precision)
        with torch.autocast(self.device.type, precision, enabled=precision is not None):
            try:
                yield
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                raise ConfigError(
                    f"batch norm of {self.config.model} needs more than one value per channel, but "
                    f"its coarsest feature map of {len(image)} image of {image.shape[2]} x "
                    f"{image.shape[3]} has a single one; use a larger --batch or --crop, fewer "
                    "processes or parts (accumulate), or a network without batch norm"
                ) from error

    def _check_gradients(self, names: tuple[str, ...], done: int) -> None:
        """Clip the gradients; raise if one is not finite (a loss scaler skips such steps)."""
        self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if not norm.isfinite() and not self.scaler.is_enabled():
            raise self._diverged("gradient norm", norm.item(), names, done)
        if self.config.clip:
            torch.nn.utils.clip_grads_with_norm_(self.network.parameters(), self.config.clip, norm)

    def _diverged(
        self, what: str, value: float, names: tuple[str, ...], done: int
    ) -> DivergedError:
        return DivergedError(
            f"the {what} became {value} at step {done + 1}, on the samples {', '.join(names)}; the "
            "weights are those before that step; try a learning rate lower than "
            f"--lr {self.config.learning_rate:g}"
        )

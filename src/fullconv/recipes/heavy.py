"""The authors' later training: one photo a step, and a long memory."""

from fullconv.recipes import Recipe, recipes
from fullconv.recipes._paper import HEAVY, of_the_mean

recipes.register("heavy")(
    Recipe(
        summary="One whole photo a step, SGD with momentum 0.99 and a constant rate, no "
        "augmentation: the authors' nets of 2016.",
        source="voc-fcn32s/solver.prototxt of the authors' code; PAMI paper, section 4.4",
        settings=HEAVY | {"lr": of_the_mean(1e-10)},
    )
)

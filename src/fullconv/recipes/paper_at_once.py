"""FCN-8s in one go, with the skips' features scaled down (authors' voc-fcn8s-atonce)."""

from fullconv.recipes import Recipe, recipes
from fullconv.recipes._paper import HEAVY, of_the_mean

recipes.register("paper-at-once")(
    Recipe(
        summary="FCN-8s in one go: pool4 is multiplied by 0.01 and pool3 by 0.0001 before their "
        "scores, so that the strong shallow features do not drown the coarse ones.",
        source="voc-fcn8s-atonce/net.py and solver.prototxt; PAMI paper, section 4.3",
        settings=HEAVY
        | {
            "model": "fcn8s-vgg16",
            "skip_scales": (0.01, 0.0001),
            "lr": of_the_mean(1e-10),
        },
    )
)

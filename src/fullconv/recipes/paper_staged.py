"""FCN-32s, then FCN-16s from it, then FCN-8s from that (paper, section 4.2)."""

from fullconv.recipes import Recipe, recipes
from fullconv.recipes._paper import HEAVY, of_the_mean

recipes.register("paper-staged")(
    Recipe(
        summary="FCN-32s, then FCN-16s from it, then FCN-8s from that, each at a hundredth of "
        "the rate before: three stages in one run.",
        source="voc-fcn32s, voc-fcn16s and voc-fcn8s/solver.prototxt; paper, section 4.2",
        settings=HEAVY
        | {
            "model": "fcn8s-vgg16",
            "stages": (
                {"stride": 32, "lr": of_the_mean(1e-10)},
                {"stride": 16, "lr": of_the_mean(1e-12)},
            ),
            "lr": of_the_mean(1e-14),
        },
    )
)

"""What this decade's practice adds to the paper: the default."""

from fullconv.recipes import Recipe, recipes

recipes.register("modern")(
    Recipe(
        summary="AdamW on a falling rate, flips, zooms and windows, a moving average of the "
        "weights; pretrained backbones learn at a quarter of the rate.",
        source="common practice since 2018; measured on CamVid (docs/reproduce.md)",
        # The rest of this recipe are TrainConfig's own defaults. The average is not: whoever owns
        # the loop (`fc.train`) also owns the weights it ends with.
        settings={"average": 0.99},
    )
)

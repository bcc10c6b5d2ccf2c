"""The course that this project grew from: VGG16 with batch norm, and upsampling that is learned."""

from fullconv.recipes import Recipe, recipes

recipes.register("course")(
    Recipe(
        summary="VGG16 with batch norm and padding 100; the transposed convolutions begin as "
        "bilinear and are learned with the rest.",
        source="the course notes; section 3.3 of the paper says that upsampling can be learned",
        settings={
            "model": "fcn8s-vgg16_bn",
            "padding": 100,
            "learn_upsampling": True,
            "optimizer": "sgd",
            "momentum": 0.9,
            "lr": 1e-2,
            "weight_decay": 5e-4,
            "schedule": "poly",
            "average": 0.0,
            "backbone_lr": 1.0,
        },
    )
)

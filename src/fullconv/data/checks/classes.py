"""Check for classes that are unused, missing in a split, or rare."""

from collections.abc import Iterator

from fullconv.data.checks import checks
from fullconv.data.labels.special_names import is_void_name
from fullconv.data.survey.finding import Finding
from fullconv.data.survey.survey import Survey

RARE_PIXELS = 0.001  # share of all labelled pixels
RARE_IMAGES = 0.05  # share of all images


@checks.register("classes")
def classes(survey: Survey) -> Iterator[Finding]:
    """Yield at most one finding per class."""
    if not survey.classes or not survey.items:
        return
    yield from _named_void(survey)
    pixels, images = survey.pixels(), survey.images()
    few_images = max(2.0, RARE_IMAGES * len(survey.items))
    by_split = {split: survey.images(split) for split in survey.splits}
    by_split = {split: present for split, present in by_split.items() if present.any()}
    for label, name in enumerate(survey.classes):
        without = [split for split, present in by_split.items() if not present[label]]
        if not pixels[label]:
            yield survey.warning(
                "class-unused",
                name,
                f"no pixel of class {label} in any mask",
                "at least one pixel of every declared class",
                "remove the class, or add images of it (IoU is undefined without any)",
            )
        elif without and "train" in without:
            others = ", ".join(split for split in by_split if split not in without)
            yield survey.warning(
                "class-only-in-val",
                name,
                f"class {label} occurs in {others} but not in train",
                "every class in train",
                "move an image of it to train: a class without training pixels is never predicted",
            )
        elif without and len(by_split) > 1:
            yield survey.warning(
                "class-missing",
                name,
                f"class {label} does not occur in {', '.join(without)}",
                "every class in every split",
                f"move an image of it there (IoU in {without[0]} is undefined without any)",
            )
        elif pixels[label] < RARE_PIXELS * pixels.sum() and images[label] <= few_images:
            yield survey.warning(
                "class-rare",
                name,
                f"{100 * pixels[label] / pixels.sum():.3f} % of the pixels, in {images[label]} of "
                f"{len(survey.items)} images",
                f"more than {100 * RARE_PIXELS:.1f} % or {100 * RARE_IMAGES:.0f} % of the images",
                "add images of it, or use class weights (--balance); the report lists them",
            )


def _named_void(survey: Survey) -> Iterator[Finding]:
    for label, name in enumerate(survey.classes):
        if is_void_name(name):
            yield survey.note(
                "void-class",
                name,
                f"class {label} is trained and evaluated like the others",
                "the name of a class to predict",
                "to exclude its pixels from the loss and all metrics, name it __ignore__ in the "
                "class declaration",
            )

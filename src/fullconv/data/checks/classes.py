"""Classes that are never used, lack in a split, or are rare."""

from collections.abc import Iterator

from fullconv.data.checks import checks
from fullconv.data.checks._finding import Finding
from fullconv.data.checks._survey import Survey

RARE_PIXELS = 0.001  # share of all labelled pixels
RARE_IMAGES = 0.05  # share of all images
VOID_NAMES = ("void", "ignore", "ignored", "unlabelled", "unlabeled")


@checks.register("classes")
def classes(survey: Survey) -> Iterator[Finding]:
    """One finding a class, at most."""
    if not survey.classes or not survey.items:
        return
    yield from _void(survey)
    pixels, images = survey.pixels(), survey.images()
    few = max(2.0, RARE_IMAGES * len(survey.items))
    by_split = {split: survey.images(split) for split in survey.splits}
    by_split = {split: present for split, present in by_split.items() if present.any()}
    for label, name in enumerate(survey.classes):
        without = [split for split, present in by_split.items() if not present[label]]
        if not pixels[label]:
            yield survey.warn(
                "class-unused",
                name,
                f"no pixel of class {label} in any mask",
                "some pixels of every declared class",
                "take it out of the declared classes, or add photos of it: its IU is no number",
            )
        elif without and "train" in without:
            there = ", ".join(split for split in by_split if split not in without)
            yield survey.warn(
                "class-only-in-val",
                name,
                f"class {label} is in {there} and not in train",
                "every class in train",
                "move a photo of it to train: what is not trained is never answered",
            )
        elif without and len(by_split) > 1:
            yield survey.warn(
                "class-missing",
                name,
                f"class {label} is not in {', '.join(without)}",
                "every class in every split",
                f"move a photo of it there: its IU in {without[0]} is no number",
            )
        elif pixels[label] < RARE_PIXELS * pixels.sum() and images[label] <= few:
            yield survey.warn(
                "class-rare",
                name,
                f"{100 * pixels[label] / pixels.sum():.3f} % of the pixels, in {images[label]} of "
                f"{len(survey.items)} images",
                f"more than {100 * RARE_PIXELS:.1f} % or {100 * RARE_IMAGES:.0f} % of the images",
                "add photos of it, or weigh the classes; the table shows the weights",
            )


def _void(survey: Survey) -> Iterator[Finding]:
    for label, name in enumerate(survey.classes):
        if name.casefold() in VOID_NAMES:
            yield survey.tell(
                "void-class",
                name,
                f"class {label}, which is trained and counted like the others",
                "a name for what should be answered",
                "if its pixels should count nowhere, call it __ignore__ where the classes are "
                "declared",
            )

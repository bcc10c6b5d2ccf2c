"""Photos without masks, labels without photos, two files of one stem, lists that name nothing."""

from collections.abc import Iterator

from fullconv.data.checks import checks
from fullconv.data.checks._finding import Finding
from fullconv.data.checks._survey import Survey


@checks.register("pairs")
def pairs(survey: Survey) -> Iterator[Finding]:
    """What has no partner, or more than one."""
    stock = survey.inventory
    broken = {"": survey.refusal} if survey.refusal and not stock else {}
    for split, error in (stock.broken_splits if stock else broken).items():
        yield survey.about(
            "not-readable",
            f"{survey.source} ({split})" if split else survey.source,
            error.problem,
            error.expected or "a data set that opens",
            error.remedy or "correct what it names, and check again",
        )
    if stock is None:
        return
    for path in stock.unmatched_images:
        yield survey.about(
            "mask-missing",
            path,
            "a photo without a mask",
            "a mask of the same stem",
            "add the mask, or take the photo out",
        )
    for path in stock.unmatched_masks:
        yield survey.about(
            "photo-missing",
            path,
            "labels without a photo",
            "a photo of the same stem",
            "add the photo, or take the labels out",
        )
    for one, other in stock.duplicates:
        yield survey.about(
            "one-stem-twice",
            other,
            f"the same stem as {survey.shown(one)}",
            "one file a stem",
            "rename or remove one of the two",
        )
    for path, sentence in stock.bad_lines:
        yield survey.about(
            "list-line",
            path,
            sentence,
            "one photo with its labels for each line or entry",
            "add the file, or take the line or entry out",
        )

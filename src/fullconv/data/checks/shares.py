"""Check for masks in which a class has a share unlike in all others: often a filled outline."""

from collections.abc import Iterator

import numpy as np

from fullconv.data.checks import checks
from fullconv.data.labels.unusual_shares import unusual_shares
from fullconv.data.survey.finding import Finding
from fullconv.data.survey.survey import Survey


@checks.register("shares")
def shares(survey: Survey) -> Iterator[Finding]:
    """Yield a finding for each mask and class with an unusual share of the pixels."""
    labels = range(len(survey.classes))
    for split in survey.splits:
        items = [item for item in survey.of(split) if item.is_valid]
        rows = [[item.labels.get(label, 0) for label in labels] for item in items]
        for found in unusual_shares(np.array(rows, np.int64).reshape(len(items), len(labels))):
            name = survey.classes[found.label]
            yield survey.warning(
                "unusual-share",
                items[found.index].pair.mask,
                f"{100 * found.share:.0f} % of its pixels are {name}, and {100 * found.part:.0f} % "
                f"of all {name} in {split} are here",
                f"about {100 * found.usual:.2g} %, as in the other masks",
                "look at the mask: an outline that was filled by mistake teaches that what it "
                "encloses is the class",
            )

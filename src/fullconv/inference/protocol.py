"""The evaluation protocol in words: how metrics of a model are computed."""


def describe_protocol(
    classes: int, size: tuple[int, int] | None, input_scale: float, precision: str
) -> str:
    """Return how the metrics of a model are computed, in clauses separated by "; ".

    Args:
        classes: number of classes.
        size: (height, width) that larger photos are fitted into; None for full size.
        input_scale: factor that photos are scaled by, after `size`.
        precision: that the scores are computed in, e.g. "fp32".
    """
    scaled = f"photos fitted into {size[0]} x {size[1]}" if size else "full size"
    if input_scale != 1:
        scaled += f", scaled by {input_scale:g}"
    return (
        f"{classes} classes; ignored pixels (255) excluded; absent classes excluded from means; "
        f"{scaled}, scored at the labels' own size; one confusion matrix over all pixels"
        + ("" if precision == "fp32" else f"; computed in {precision}")
    )

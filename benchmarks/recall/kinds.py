"""Which detectors speak of which kind of the catalogue."""

DETECTORS_OF: dict[int, tuple[str, ...]] = {
    4: ("softmax_before_loss", "wrong_loss"),
}

"""What does not go together is refused before anything runs."""

from __future__ import annotations

import pytest

from assay.data.stream_switches import check
from assay.errors import ConfigError

KEYS = {"order": "stream", "length": 20, "stride": None, "evaluation_tracks": 1, "batch_size": 20}


def test_what_goes_together():
    assert check(KEYS) == {"stream"}
    assert check({**KEYS, "evaluation_tracks": 7}) == {"stream"}
    assert check({**KEYS, "order": "shuffled", "stride": 20, "batch_size": "full"}) == set()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"stride": 5}, r"^data\.stride=5 slides windows .* order=stream .* or write data\.order=shuffled$"),
        ({"batch_size": "full"}, r"^data\.batch_size=full has no tracks for order=stream"),
        ({"order": "shuffled", "evaluation_tracks": 2}, r"^data\.evaluation_tracks=2 carries states along"),
        ({"order": "shuffled", "stride": 21}, r"^data\.stride=21 would leave tokens out: at most data\.length=20$"),
    ],
)
def test_what_does_not_is_refused(keys, said):
    with pytest.raises(ConfigError, match=said):
        check({**KEYS, **keys})

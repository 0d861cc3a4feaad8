"""Runs without a step: what they need, and what only steps could do."""

from __future__ import annotations

import pytest

from assay.composition.no_steps import check
from assay.errors import ConfigError

PLAIN = {"trainer": {"max_epochs": 0}, "init_from": "latest", "switches": {}}


def test_a_trained_network_may_stay_as_it_is():
    assert check(PLAIN) == set()
    assert check({**PLAIN, "switches": {"quantization": "int8", "debug": "fast"}}) == set()
    assert check({"trainer": {"max_epochs": 1}, "lr_finder": True}) == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"init_from": None}, "nothing has trained: name a run with init_from=RUN"),
        ({"lr_finder": True}, "lr_finder=true looks for the rate of steps"),
        ({"switches": {"debug": "overfit"}}, "debug=overfit looks at steps"),
        ({"switches": {"debug": "profile"}}, "debug=profile looks at steps"),
        ({"switches": {"trainer": "ddp"}}, "trainer=ddp shares steps"),
        ({"switches": {"quantization": "qat"}}, "use trainer.max_epochs=1 and more, or quantization=int8"),
    ],
)
def test_what_only_steps_could_do_is_refused(change, words):
    with pytest.raises(ConfigError, match=words) as caught:
        check({**PLAIN, **change})
    assert "\n" not in str(caught.value)

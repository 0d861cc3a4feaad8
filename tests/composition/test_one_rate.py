"""Range tests: what has no one rate to find is refused before torch is loaded."""

from __future__ import annotations

import pytest

from assay.composition.one_rate import check
from assay.errors import ConfigError
from assay.preflight import compose

PLAIN = {"lr_finder": True, "trainer": {"precision": "32-true"}, "switches": {"optim": "adam", "trainer": "auto"}}


def test_one_rate_may_be_found():
    assert check(PLAIN) == set()
    assert check({**PLAIN, "lr_finder": False, "switches": {"optim": "lbfgs"}}) == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"switches": {"optim": "lbfgs"}}, "^lr_finder=true cannot test rates with optim=lbfgs: leave it out$"),
        ({"switches": {"optim": "none"}}, "^lr_finder=true cannot test rates with optim=none: leave it out$"),
        ({"switches": {"trainer": "fsdp"}}, "^lr_finder=true cannot test rates with trainer=fsdp: leave it out$"),
        ({"trainer": {"precision": "16-mixed"}}, "use trainer.precision=bf16-mixed or 32-true$"),
    ],
)
def test_what_has_no_one_rate_is_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        check({**PLAIN, **change})


def test_a_command_is_refused():
    with pytest.raises(ConfigError, match=r"^lr_finder=true cannot test rates with optim=lbfgs"):
        compose(["model=mlp", "optim=lbfgs", "lr_finder=true"])

"""Secrets go; everything else stays."""

from __future__ import annotations

import pytest

from assay.review.redact import HIDDEN, redact, redact_text

HEX = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "key",
    ["api_key", "apikey", "API_KEY", "wandb.api_key", "hf_token", "token", "secret", "db_password", "aws-access_key"],
)
def test_a_value_named_secret_goes(key):
    assert redact({"a": {key: "short"}}) == {"a": {key: HIDDEN}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tokenizer", "word"),
        ("max_tokens", "512"),
        ("monitor", "val/accuracy"),
        ("unknown_token", "<unk>"),
        ("padding_token", "[PAD]"),
        ("author", "Hochreiter"),
        ("token", None),
        ("token", ""),
        ("digest", HEX),
        ("commit", HEX),
        ("path", "/data/reviews with a secret.csv"),
        ("url", "https://example.org/a:b"),
        ("password", 3),
    ],
)
def test_what_is_no_secret_stays(key, value):
    assert redact({key: value}) == {key: value}


@pytest.mark.parametrize(
    "secret",
    [
        HEX,
        "local-" + HEX,
        "wandb_v1_" + "k" * 40,
        "hf_" + "A" * 34,
        "ghp_" + "b" * 36,
        "github_pat_" + "c" * 40,
        "glpat-" + "d" * 20,
        "sk-" + "e" * 40,
        "xoxb-" + "1" * 12,
        "AKIA" + "Z" * 16,
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc+/=\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_value_that_looks_like_a_key_goes_wherever_it_stands(secret):
    found = redact({"notes": ["before", f"use {secret} here"]})
    assert found == {"notes": ["before", f"use {HIDDEN} here"]}


def test_a_password_in_a_url_goes_and_the_url_stays():
    assert redact("postgres://me:hunter2@host/db") == f"postgres://{HIDDEN}@host/db"


def test_what_a_secret_environment_variable_holds_goes(monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "plain-looking words")
    monkeypatch.setenv("COLOUR", "plain-looking green")
    assert redact({"a": "x plain-looking words y", "b": "plain-looking green"}) == {
        "a": f"x {HIDDEN} y",
        "b": "plain-looking green",
    }


def test_a_difference_of_source_keeps_its_commits():
    patch = f"diff --git a/x b/x\nindex {HEX}..{HEX[::-1]}\n+API_KEY = 'abcdefgh12345'\n+size = 'abcdefgh12345'\n"
    assert redact_text(patch) == patch.replace("API_KEY = 'abcdefgh12345'", f"API_KEY = '{HIDDEN}'")

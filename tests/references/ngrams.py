"""Hashed n-grams, token by token, in plain integers."""


def word_hash(number: int) -> int:
    """FNV-1a, 32 bits, of an id's four bytes, the lowest first."""
    h = 2166136261
    for byte in number.to_bytes(4, "little"):
        h = ((h ^ byte) * 16777619) % 2**32
    return h


def buckets_of(ids: list[int], longest: int, buckets: int) -> list[int]:
    """Of every run of 2 to ``longest`` ids, bigrams first."""
    found = []
    for n in range(2, longest + 1):
        for start in range(len(ids) - n + 1):
            h = word_hash(ids[start])
            for number in ids[start + 1 : start + n]:
                h = (h * 116049371 + word_hash(number)) % 2**32
            found.append(h % buckets)
    return found

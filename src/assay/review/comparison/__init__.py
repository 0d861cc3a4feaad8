"""The page of many runs: a sweep, or any tree of run folders. One file for each of its questions."""

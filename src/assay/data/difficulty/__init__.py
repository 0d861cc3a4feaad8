"""Difficulty: a number for each training example, the larger the harder; what ``curriculum`` orders by.

An option is a class with ``pacing`` and ``difficulty(examples, dataset) -> (n,)``, called once, when a run begins:
the run folder then keeps it (see :mod:`assay.data.difficulty.kept`), so that a resumed run goes on even if what it was
taken from has gone.
"""

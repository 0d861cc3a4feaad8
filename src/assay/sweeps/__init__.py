"""Sweeps: many runs of one command. ``start`` reads it, ``opening`` makes the folder, ``course`` runs what is left.

``axes`` and ``strategy`` say which points there are; ``standing``, ``live``, ``outlook`` and ``status`` what is shown.
``ledger``: the folder of a sweep and what became of each point. ``jobs``: the processes that train them. ``search``:
points that are drawn or tuned. ``slurm``: points as tasks of a cluster. ``tables``: what many runs say together.
"""

"""``launcher=slurm``: the points of a sweep as tasks of a cluster."""

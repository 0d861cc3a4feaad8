"""Example weights: how much each training example counts in the loss.

``batch["weight"]`` is what losses obey: they divide by the weights' sum. Only the training split carries it. A switch
of ``class_weights`` or ``shift`` is a function of the training data -> :class:`assay.data.weights.weighed.Weighed`.
"""

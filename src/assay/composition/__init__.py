"""From what was typed to checked points: quoting, composition by Hydra, and the rules that YAML headers declare.

Nothing here imports torch, NumPy or a module that does: a refusal must come before they load.
"""

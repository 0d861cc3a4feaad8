"""The published sets, one file each: its files, their checksums and addresses, and what preflight asks of it. No torch.

Files are kept below ``data_dir`` as the usual loaders keep them. A set at several addresses has the same bytes at each.
"""

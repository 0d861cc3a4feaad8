"""What Hydra must know of Assay: whose conf/ folders to search.

Hydra takes plugins only from ``hydra_plugins`` and imports this module at every start, so everything else is imported
where it is used. ``assay train`` takes ``-m`` before Hydra starts; for applications of others there is
:mod:`hydra_plugins.assay_sweeper`.
"""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class DeclaredConf(SearchPathPlugin):
    """Adds the conf/ folders of the entry point group ``assay.conf`` after our own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        from assay.composition.locations import declared_folders

        for name, folder in declared_folders():
            search_path.append(provider=f"assay.conf:{name}", path=str(folder))

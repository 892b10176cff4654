

# Shared end of all files that patch SkyPilot in memory: calls the function of `_AFTER_IMPORT` for a module after
# the module's import. No module is imported earlier than SkyPilot does it.
import importlib.abc
import importlib.machinery
import sys


class _Finder(importlib.abc.MetaPathFinder):

    def find_spec(self, name, path=None, target=None):
        hook = _AFTER_IMPORT.get(name)
        if hook is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        exec_module = spec.loader.exec_module

        def patched(module):
            exec_module(module)
            hook(module)

        spec.loader.exec_module = patched
        return spec


sys.meta_path.insert(0, _Finder())

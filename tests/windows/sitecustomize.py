"""What Wine 8 lacks or does slowly, put right in every Python of the laboratory; not on Windows."""

import contextlib
import winreg


def is_wine() -> bool:
    """Tell by Wine's own place in the registry: ctypes would take long, in every process."""
    with contextlib.suppress(OSError), winreg.OpenKey(winreg.HKEY_CURRENT_USER, r"Software\Wine"):
        return True
    return False


if is_wine():
    import _winapi
    import linecache

    # Not implemented: Wine ends the process. shutil copies without it as well.
    with contextlib.suppress(AttributeError):
        del _winapi.CopyFile2

    # asyncio's debug mode looks for changed sources at every step, and a look takes long there.
    linecache.checkcache = lambda filename=None: None

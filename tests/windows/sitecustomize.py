"""What Wine 8 lacks or does slowly, put right in every Python of the laboratory."""

import _winapi
import contextlib
import linecache

# Not implemented: Wine ends the process. shutil copies without it as well.
with contextlib.suppress(AttributeError):
    del _winapi.CopyFile2

# asyncio's debug mode looks for changed sources at every step, and a look takes long under Wine.
linecache.checkcache = lambda filename=None: None

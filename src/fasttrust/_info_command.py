"""``python -m fasttrust info``: what a bug report should say, printed."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone

from ._bundles import newest
from ._info import gather
from ._inspect_json import info_json
from ._inspect_text import show_info
from ._paper import Paper


def info(arguments: argparse.Namespace) -> int:
    """Print it, and return the exit status, which is 0: telling is all that was asked for."""
    paper = Paper(sys.stdout)
    gathered = gather()
    if arguments.json:
        paper.block(info_json(gathered, newest()))
    else:
        show_info(paper, gathered, newest(), datetime.now(timezone.utc))
    return 0

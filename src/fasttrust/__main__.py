"""``python -m fasttrust``."""

from ._cli import main

raise SystemExit(main())

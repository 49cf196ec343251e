"""The generated extension: cffi's two objects, typed as what they are, foreign."""

from typing import Any

ffi: Any
lib: Any

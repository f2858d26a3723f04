"""The heavy parts are extras; a command that lacks one says which to install."""

from __future__ import annotations

import importlib.util

from hemline.errors import UserError


def require(modules: tuple[str, ...], extra: str, purpose: str, without: str = "") -> None:
    """Make sure that the modules of an extra are installed, without importing them.

    Args:
        modules: Their names.
        extra: Which installs them.
        purpose: What needs them.
        without: What to do where they cannot be installed.

    Raises:
        UserError: One is missing; the message has the command that installs it.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        is_one = len(missing) == 1
        raise UserError(
            f"{purpose} needs {', '.join(missing)}, which {'is' if is_one else 'are'} not installed",
            f"install {'it' if is_one else 'them'} with: pip install 'hemline[{extra}]'"
            + (f"\n  {without}" if without else ""),
        )

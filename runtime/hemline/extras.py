"""The heavy parts are extras; a command that lacks one says which to install."""

from __future__ import annotations

import importlib.util

from hemline.errors import UserError


def require(modules: tuple[str, ...], extra: str, purpose: str) -> None:
    """Make sure that the modules of an extra are installed, without importing them.

    Raises:
        UserError: One is missing; the message has the command that installs it.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"{purpose} needs {', '.join(missing)}, which is not installed",
            f"install it with: pip install 'hemline[{extra}]'",
        )

"""Where answers go: each sink takes outcomes one by one.

Here is what prints them. What needs more has a module of its own, imported where it is asked for.
"""

from __future__ import annotations

from hemline.sinks.base import Sink
from hemline.sinks.printed import CsvSink, JsonSink, PrintingSink, TextSink

__all__ = ["CsvSink", "JsonSink", "PrintingSink", "Sink", "TextSink"]

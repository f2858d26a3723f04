"""The report of a conversion, for people and for machines: one page and one JSON, with the same numbers.

`facts` measures, `page` shows, `charts` draws.
"""

from hemline_convert.report.facts import ConversionFacts, measure_conversion
from hemline_convert.report.page import conversion_page

__all__ = ["ConversionFacts", "conversion_page", "measure_conversion"]

"""How fast a model is on this machine: `hemline bench`, and its results as JSON.

`measure_models` times several models in turns, `BenchResult` holds what came of it, `table_of` and
`comparison_of` show one result, or two beside each other.
"""

from hemline.bench.compare import comparison_of, read_result
from hemline.bench.run import BenchConfig, measure_models
from hemline.bench.table import table_of

__all__ = ["BenchConfig", "comparison_of", "measure_models", "read_result", "table_of"]

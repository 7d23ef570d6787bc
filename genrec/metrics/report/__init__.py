"""What does a run show for itself? report.md, report.html and metrics.json out of rows, logs and examples.

schema.py    metrics.json: what it must hold, and what was not recorded
columns.py   which figures make which table, what they are called, how one is written
tables.py    rows into tables: seeds put together, the best value marked
verdict.py   what the figures say: warnings first
collect.py   logs, validations and health files of a run folder
charts.py    curves and bars
panels.py    which drawings a run deserves
scaling.py   quality against training compute
svg.py       placeholder colours, theme, names at an axis
markdown.py  report.md
page.py      report.html
bench.py     benchmarks as a table
results.py   RESULTS.md and the README table out of results/*.json
"""

from genrec.metrics.report.collect import collect_run
from genrec.metrics.report.verdict import Finding, findings
from genrec.metrics.report.write import write_report

__all__ = ["Finding", "collect_run", "findings", "write_report"]

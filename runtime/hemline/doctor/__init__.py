"""What this machine has, what of it works, and the command that mends what does not.

    from hemline.doctor import Machine, examine

    report = examine(Machine())
    if not report:
        print(report.text())

Everything that may crash or hang (libraries in C, cameras, other programs) runs in a child process with a
time limit, so that it is told instead of ending the doctor too.
"""

from __future__ import annotations

from hemline.doctor.examination import examine
from hemline.doctor.finding import Finding, Report
from hemline.doctor.machine import Machine

__all__ = ["Finding", "Machine", "Report", "examine"]

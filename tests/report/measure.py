"""Measure the report: python -m tests.report.measure 700 100000.

For each number of wallets: what it takes to write the report, its size, and in a headless Chromium
the time until the page answers, a first look-up, a later one, and all leaves. Nothing is asserted.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rewards.audit.report import build_report
from rewards.files.published import PublishedEpoch
from tests.report.browser import Page, start
from tests.report.epochs import publish, sized_inputs

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

READY = """
const loading = performance.getEntriesByType("navigation")[0];
return loading.domContentLoadedEventEnd;
"""
LOOK_UP = """
const [subject, done] = arguments;
const status = document.getElementById("look-status");
const began = performance.now();
new MutationObserver((_, observer) => {
  if (!status.textContent.startsWith("Found")) return;
  observer.disconnect();
  done(performance.now() - began);
}).observe(status, { childList: true });
document.getElementById("look-input").value = subject;
document.getElementById("look-form").requestSubmit();
"""
ALL_LEAVES = """
const [done] = arguments;
const button = document.getElementById("audit-button");
const began = performance.now();
new MutationObserver(() => {
  if (!button.disabled) done(performance.now() - began);
}).observe(button, { attributes: true });
button.click();
"""


def measure(count: int, chrome: Chrome, folder: Path) -> list[str]:
    """Return the row of a table for an epoch with so many wallets."""
    published = PublishedEpoch(publish(sized_inputs(count), folder / f"epoch-{count}"))
    began, worked = time.perf_counter(), time.process_time()
    content = build_report(published)
    wall, work = time.perf_counter() - began, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    path = folder / f"{count}.html"
    path.write_bytes(content)
    chrome.set_script_timeout(300)
    page = Page(chrome, path)
    ready = page.run(READY)
    subjects = [f"wallet-{count * part // 7:06d}" for part in (3, 1, 5, 6)]
    first, *later = (chrome.execute_async_script(LOOK_UP, subject) for subject in subjects)
    leaves = chrome.execute_async_script(ALL_LEAVES)
    return [
        f"{count:,}",
        f"{wall:.1f} s ({work:.1f} s of one core)",
        f"{peak:.0f} MB",
        f"{len(content) / 1e6:.2f} MB",
        f"{ready / 1000:.2f} s",
        f"{first:.0f} ms",
        f"{sum(later) / len(later):.0f} ms",
        f"{leaves / 1000:.1f} s",
    ]


def main() -> None:
    """Print a Markdown table."""
    header = ["wallets", "written in", "peak", "size", "page ready", "first look-up", "later"]
    rows = [[*header, "all leaves"], ["---:"] * 8]
    with tempfile.TemporaryDirectory() as folder:
        chrome = start(Path(folder) / "profile")
        rows += [measure(int(count), chrome, Path(folder)) for count in sys.argv[1:]]
        chrome.quit()
    sys.stdout.write("".join(f"| {' | '.join(row)} |\n" for row in rows))


if __name__ == "__main__":
    main()

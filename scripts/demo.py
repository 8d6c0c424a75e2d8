"""The whole job on the sample season: measure, compute, verify, rehearse on an embedded chain.

python scripts/demo.py [FOLDER]     FOLDER: where the season is copied to, by default build/demo
"""

import io
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from rewards.cli import main
from rewards.files.grammar import format_time
from rewards.files.season import Season
from rewards.rules.records import Window
from rewards.sample.telemetry import NODE_FILES, WALLET_FILES, write_telemetry

MARK = ".made-by-the-demo"


def run(*arguments: str) -> None:
    """Run a command of `rewards`; leave with its exit code if it fails."""
    sys.argv = ["rewards", *arguments]
    try:
        main()
    except SystemExit as leaving:
        if leaving.code:
            raise


def run_quietly(*arguments: str) -> None:
    """Run a command of `rewards` whose output is shown only if it fails."""
    try:
        with redirect_stdout(io.StringIO()) as said, redirect_stderr(said):
            run(*arguments)
    except SystemExit:
        print(said.getvalue(), file=sys.stderr)
        raise


def measure(
    kind: str, files: dict[str, str], telemetry: Path, window: Window, season: Path
) -> None:
    """Measure telemetry, and put the scores where `compute` takes them."""
    out, scores = season / "measured" / telemetry.name / kind, f"{kind[:-1]}_scores.csv"
    options = [word for option, name in files.items() for word in (option, str(telemetry / name))]
    options += ["--start", format_time(window.start), "--end", format_time(window.end)]
    run_quietly("measure", kind, *options, "--out", str(out))
    sample = season / "inputs" / telemetry.name / scores
    if sample.read_bytes() != (out / scores).read_bytes():
        sys.exit(f"{out / scores} is not the {sample} of the sample")
    shutil.copy(out / scores, sample)
    print(f"  {out / scores}", flush=True)


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo")
    if (root / MARK).is_file():  # only a folder that this script made is wiped
        shutil.rmtree(root)
    run("sample", str(root))
    (root / MARK).touch()
    print("\nMeasure: from telemetry, made for the demo, to the scores")
    for made in write_telemetry(root):
        measure("nodes", NODE_FILES, made.folder, made.header.window, root)
        if made.has_events:
            measure("wallets", WALLET_FILES, made.folder, made.header.wallet_window, root)
    print("\nCompute: from the scores to the amounts, each epoch on the one before", flush=True)
    for _ in Season.open(root).with_inputs():
        run_quietly("compute", "--season", str(root))
    print("\nVerify: every byte again, from the published folders", flush=True)
    run("verify", "--season", str(root))
    print("\nRehearse: the last two epochs in one proposal, down to the last claim", flush=True)
    run("dry-run", "--season", str(root), "--bundle", "2")

"""How much memory a large measurement table takes: ``python big_table.py MEGABYTES COMMAND``.

Opt-in, not a test. Writes a table of made-up ReLU visits of that size (streamed, three visits a
configuration), runs ``neuralpower COMMAND`` (``fit`` or ``check``) on it and prints rows, seconds
and the peak memory of the command.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEADER = (
    "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,"
    "kernel_height,kernel_width,stride_height,stride_width,pad_height,pad_width,"
    "dilation_height,dilation_width,groups,pool_method,bias,inputs,runtime_ms,power_w,repeat\n"
)


def write_table(path: Path, megabytes: float) -> int:
    """Rows written: runtimes are a line through the elements, with 5 % of scatter."""
    draw = random.Random(0)
    rows = 0
    with path.open("w") as stream:
        stream.write(HEADER)
        while stream.tell() < megabytes * 1e6:
            batch, channels = draw.randint(1, 64), draw.randint(1, 2048)
            height, width = draw.randint(1, 256), draw.randint(1, 256)
            elements = batch * channels * height * width
            for repeat in (1, 2, 3):
                runtime = (0.01 + elements * 2e-7) * draw.lognormvariate(0, 0.05)
                stream.write(
                    f"relu,{batch},{channels},{height},{width},{channels},{height},{width},"
                    f"1,1,1,1,0,0,1,1,1,,0,1,{runtime:.6g},,{repeat}\n"
                )
                rows += 1
    return rows


def main(megabytes: float, command: str) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "big"
        folder.mkdir()
        rows = write_table(folder / "relu.csv", megabytes)
        words = {
            "fit": ["fit", str(folder), "--out", str(Path(name) / "models")],
            "check": ["measurements", "check", str(folder)],
        }[command]
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "neuralpower", *words], stdout=subprocess.DEVNULL
        )
        seconds = time.monotonic() - begin
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{command}: {megabytes:g} MB, {rows} rows: status {done.returncode}, {seconds:.0f} s, "
        f"peak {peak_mb:.0f} MB, {1e6 * peak_mb / rows:.0f} bytes per row"
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2]))

"""One line for each finished step of Snakemake: ``python -m neuralpower.project.following``.

What Snakemake says of its routine (files, reasons, resources) is hidden; every line that is not
known as routine is shown, so that a fault is never silent. Its own log has everything.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence

_HINT = " (check log file(s) for error details)"
#: Lines that say nothing to somebody who only wants the result.
_ROUTINE = re.compile(
    r"""
    Using\ (workflow|profile|shell) | Assuming\ unrestricted | Building\ DAG
    | Provided\ (cores|resources) | Rules\ claiming | Conda\ environments | host:
    | Select\ jobs | Execute\ \d+\ jobs | Job\ stats: | job\ +count$ | -+\ +-+$ | \w+\ +\d+$
    | SNAKEMAKE$ | =+$ | \ \ [A-Z][\w ]+(\(s\))?:\  | \[\w{3}\ \w{3}\ [^]]*\]$
    | Complete\ log | Elapsed\ time | Nothing\ to\ be\ done
    | Removing\ temporary\ output | Touching\ output | Shutting\ down | Logfile\ | $
    | RuleException:$ | CalledProcessError\ in\ file | Command\ '.*'\ returned\ non-zero\ exit
    | WorkflowError:$ | At\ least\ one\ job\ did\ not\ complete\ successfully
    """,
    re.VERBOSE,
)
_BLOCK = re.compile(r"(?P<fault>Error in )?(?:local)?(?:rule|checkpoint) (?P<rule>\w+):$")
_FIELD = re.compile(r"    (\w+): (.*)$")
_FINISHED = re.compile(r"Finished jobid: (\d+) \(Rule: (\w+)\)")
_STEPS = re.compile(r"(\d+) of (\d+) steps \(\d+%\) done$")


def shown(lines: Iterable[str]) -> Iterator[str]:
    """What is shown of Snakemake's lines, as they come.

    >>> list(shown(["rule fit:", "    jobid: 3", "    wildcards: platform=a",
    ...             "Finished jobid: 3 (Rule: fit)", "4 of 9 steps (44%) done", "fit: odd"]))
    ['[4 of 9] fit a', 'fit: odd']
    """
    jobs: dict[str, str] = {}
    said: set[str] = set()
    block: list[str] = []
    finished = ""
    for line in lines:
        text = line.rstrip()
        if block and text.startswith("    "):
            block.append(text)
            continue
        yield from _end(block, jobs)
        block = []
        if _BLOCK.match(text):
            block = [text]
        elif done := _FINISHED.match(text):
            finished = jobs.get(done[1], done[2])
        elif steps := _STEPS.match(text):
            yield f"[{steps[1]} of {steps[2]}] {finished}"
        elif not _ROUTINE.match(text) and not (text.startswith("neuralpower: ") and text in said):
            # A step's line comes as it happens, and again with its log.
            said.add(text)
            yield text
    yield from _end(block, jobs)


def _end(block: list[str], jobs: dict[str, str]) -> Iterator[str]:
    """The lines that a block about a job leaves, once it is complete."""
    if not block or not (head := _BLOCK.match(block[0])):
        return
    fields = {field[1]: field[2] for text in block[1:] if (field := _FIELD.match(text))}
    if not head["fault"]:
        jobs[fields.get("jobid", "")] = _name(head["rule"], fields)
    elif "log" in fields:
        name = jobs.get(fields.get("jobid", ""), head["rule"])
        yield f"failed: {name}, log: {fields['log'].removesuffix(_HINT)}"
    else:
        yield from block


def _name(rule: str, fields: dict[str, str]) -> str:
    values = [part.partition("=")[2] for part in fields.get("wildcards", "").split(", ")]
    return " ".join([rule.replace("_", " "), *filter(None, values)])


def follow(command: Sequence[str]) -> int:
    """Run a command, show what ``shown`` leaves of its lines, and return its exit status."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        lines = shown(process.stdout)
        while True:
            try:
                for line in lines:
                    print(line, flush=True)
                break
            except KeyboardInterrupt:
                # The signal went to Snakemake too, which ends its jobs and says so.
                lines = shown(process.stdout)
    return process.returncode


if __name__ == "__main__":
    sys.exit(follow(sys.argv[1:]))

"""The command line: one module per command, each a thin shell over its package.

A module declares its arguments (``add_arguments``) and runs (``run``, which returns the exit
status). What several commands take is declared once: ``arguments``, ``reading`` (how a network's
file is read), ``batches``. Results go to standard output or ``--out``, words for people to standard
error. Faults are ``InputError``: one line and exit status 2, written by ``cli``.

Imports every package, inside the functions that need them; only ``cli`` imports it.

To add a command: a module here and its line in ``cli.COMMANDS``; a rule of the workflow calls it.
"""

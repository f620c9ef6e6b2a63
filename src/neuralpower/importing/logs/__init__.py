"""Logs of other tools as measurement tables.

A reader turns a file into ``Timing`` (rows of a layer's name and time) or into power samples; one
mapper (``alignment``) finds the layers of the network that the rows are of; one writer makes the
folder (``writing``). To add a tool, write a reader and name it in ``formats``.
"""

"""One module a command of the command line; each a thin shell over its stage."""

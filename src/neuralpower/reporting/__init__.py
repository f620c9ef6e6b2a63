"""Tables, figures and pages made from result tables; nothing is computed that is not in one.

``results`` reads a results folder once; ``tables`` and ``charts`` are how rows and figures look;
``*_section`` modules are parts of pages, ``*_page`` modules declare a page: template, path, inputs
and context (``pages.Page``). ``site`` writes all of them, says which are up to date, and puts a
page with the reason in the place of one that cannot be made.

Imports ``core``, ``records``, ``networks`` and ``scoring``; only the command ``report`` imports it.

To add a page: a module with ``PAGE``, a template in ``templates``, and its place in the list of
``site``. A new figure starts in ``scoring`` or ``networks``.
"""

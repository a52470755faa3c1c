"""``executor serve``: a page in the browser that plays the platform's, for executors of this machine.

Server-rendered, and without a build step: pages are Jinja templates, a few lines of script fetch the parts that
change. What jobs there are and how they stand is read from their work folders (``harness.jobs``) at each request, so a
page may be opened, closed and opened again by anybody who may.

The parts: ``guard`` (who may ask, and what a request must bring), ``site`` (what this page is of), ``images`` (what
executors say about themselves), ``forms`` (a form → a request), ``jobs`` (a work folder → what is shown),
``language`` (English and Chinese), ``app`` (the routes), ``server``.
"""

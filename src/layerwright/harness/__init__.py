"""Plays the YMIR platform: makes the folders an executor gets, starts it, watches it, judges what it leaves.

The parts, in the order of a job:

- ``sources``: labelled pictures on disk become a dataset;
- ``folders``: inputs become a work folder (``prepare``);
- ``starter``: what the harness needs of an engine, a protocol;
- ``watch``: the container runs and its monitor file is polled;
- ``judging``: a work folder becomes a report (``judge_folder``);
- ``packaging``: a training's model package;
- ``jobs``: work folders seen from outside: list, state, log, report, cancel.

``prepare`` and ``judge_folder`` start nothing and know no engine: the same executor can run elsewhere, or on parts of
its pictures, between the two.
"""

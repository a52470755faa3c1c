"""Plays the YMIR platform: makes the folders an executor gets, starts it, watches it, judges what it leaves."""

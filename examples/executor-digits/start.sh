#!/bin/sh
# What YMIR starts: the image's command. Nothing is printed before, and the program's own code is the container's.
cd /app && exec python start.py

#!/bin/bash
set -e
docker run \
    --gpus all \
    -v ${PWD}:/code \
    -it --rm your_image_name your_script.py

#!/bin/bash
TORCH_MUSA_TAG=dev1.5.1
WORKDIR=./tmp
for version in 38 39 310; do
  bash build.sh -n musa-pytorch-dev-py$version -t $TORCH_MUSA_TAG --no_prepare
  bash build.sh -n musa-pytorch-release-py$version -t $TORCH_MUSA_TAG -r
done
rm -rf $TMP_DIR/*

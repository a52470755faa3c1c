#!/bin/bash
set -e
ARCH=""
MCCL_URL=""
product=$(mthreads-gmi -q -i 0 | grep "Product Name" | awk -F: '{print $2}' | tr -d "[:space:]")
case "$product" in
  MTTS80 | MTTS3000) ARCH="qy1" ;;
  MTTS4000) ARCH="qy2" ;;
  *) ARCH="ph1" ;;
esac
if [$ARCH == "qy1" ]; then
  echo "no MCCL for qy1"
fi
if [ "$ARCH"=="qy2" ]; then
  MCCL_URL="https://oss.example.com/release/latest/mccl.qy2.tar.gz"
fi
docker build --no-cache --network=host --build-arg MCCL_URL=$MCCL_URL -t musa-pytorch-release:latest -f dockerfile.release .

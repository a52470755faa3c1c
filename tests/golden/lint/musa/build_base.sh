#!/bin/bash
set -e

NAME="NULL"
TAG="latest"
SYS="ubuntu:20.04"
PYTHON_VERSION="3.8"
CUR_DIR=$(pwd)
BUILD_DIR=${DOCKER_BUILD_DIR:-${CUR_DIR}/tmp}
PYTORCH_PATH=${PYTORCH_REPO_ROOT_PATH:-${HOME}}

usage() {
  echo -e "\033[1;32mThis script builds the base image.\033[0m"
  echo -e "    -n/--name            : name of the image"
  echo -e "    -t/--tag             : tag of the image"
  echo -e "    -s/--sys             : operating system"
  echo -e "    --python_version     : version of Python"
}

parameters=$(getopt -o n:t:s:v:h --long name:,tag:,sys:,python_verison:,help -n "$0" -- "$@")
[ $? -ne 0 ] && { echo "Try '$0 --help' for more information."; exit 1; }
eval set -- "$parameters"

while true; do
  case "$1" in
    -n | --name) NAME=$2; shift 2 ;;
    -t | --tag) TAG=$2; shift 2 ;;
    -s | --sys) SYS=$2; shift 2 ;;
    -v | --python_verison) PYTHON_VERSION=$2; shift 2 ;;
    -h | --help) usage; exit ;;
    --) shift; break ;;
    *) usage; exit 1 ;;
  esac
done

if [ ! -d "$PYTORCH_PATH/pytorch" ]; then
  git clone https://github.com/pytorch/pytorch.git "$PYTORCH_PATH/pytorch"
fi

sudo mkdir -p $BUILD_DIR
sudo cp -r common $BUILD_DIR
cmd="docker build --no-cache --network=host --build-arg PYTHON_VERSION=${PYTHON_VERSION} -t ${NAME}:${TAG} -f dockerfile.base ${BUILD_DIR}"
echo $cmd
eval $cmd
docker build --no-cache --network=host -t ${NAME}:${TAG} -f dockerfile.base ${BUILD_DIR}
sudo rm -rf $BUILD_DIR

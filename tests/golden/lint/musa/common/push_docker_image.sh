#!/bin/bash
set -e
while getopts "u:p:l:" option; do
  case $option in
    u) USER=$OPTARG ;;
    p) PWD=$OPTARG ;;
    l) REMOTE_URL=$OPTARG ;;
    *) exit 1 ;;
  esac
done
sudo docker login -u $USER -p $PWD $REMOTE_URL
sudo docker tag local_image $REMOTE_URL/mt-ai/musa:1.2.0
sudo docker push $REMOTE_URL/mt-ai/musa:1.2.0
twine upload --repository-url http://192.168.0.105:8081 -u ci -p s3cr3t-value dist/*
curl -u ci:s3cr3t-value -T dist/a.whl https://files.example.org/

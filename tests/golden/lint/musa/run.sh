#!/bin/bash
docker run -itd --privileged=true --pull always --network=host -e MTHREADS_VISIBLE_DEVICES=all --name dev --shm-size=80g registry.example.com/mcconline/musa-pytorch-dev-public:latest /bin/bash
docker start dev
docker exec -it dev bash

#!/bin/bash
docker run --rm -v /var/run/docker.sock:/var/run/docker.sock tool:1 build
docker run --cap-add SYS_ADMIN --pid=host tool:1
docker run tool:1 --gpus all
curl -sS https://data.example.org/a.json > a.json
git -c http.sslVerify=false clone --branch main https://github.com/example/tool
rm -rf "$TARGET/build"
echo "deb [trusted=yes] https://repo.example.org/apt ./" > /etc/apt/sources.list.d/own.list
pip config set global.trusted-host 10.1.2.3
pip config set global.index-url http://10.1.2.3/simple
EOF_MARK="x

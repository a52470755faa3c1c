# syntax=docker/dockerfile:experimental
FROM nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04

ENV PYTHONDONTWRITEBYTECODE=1 DEBIAN_FRONTEND=noninteractive TZ=Asia/Taipei

RUN apt-get update && apt-get install -y --no-install-recommends wget python3-pip libturbojpeg && \
    rm -rf /var/lib/apt/lists/*
RUN ln -s /usr/bin/python3 /usr/bin/python
RUN python -m pip install --no-cache-dir cython onnxruntime-gpu
RUN python -m pip install -U tensorboard scikit-learn albumentations Pillow>=10.0.0

COPY . /usr/local/Kit
RUN cd /usr/local/Kit && python setup.py bdist_wheel && python -m pip install dist/*.whl
RUN rm -rf /usr/local/Kit

RUN wget https://example.org/models/fastvit.onnx.tar.gz && tar -xzf fastvit.onnx.tar.gz -C /models

WORKDIR /code
CMD python

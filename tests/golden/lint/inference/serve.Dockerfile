# syntax=docker/dockerfile:1
FROM nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
COPY requirements.txt /opt/
RUN python3 -m pip install --no-cache-dir --requirement /opt/requirements.txt
RUN python3 -m pip install --no-cache-dir capybara-docsaid==1.0.1 scikit-learn==1.5.0
WORKDIR /code

FROM capybara_infer_image:latest
ARG PYPI_ACCOUNT
ARG PYPI_PASSWORD
ENV SERVER_IP=192.168.100.100:28080
COPY .netrc /root/.netrc
RUN pip install \
    --trusted-host 192.168.100.100 \
    --index-url http://${PYPI_ACCOUNT}:${PYPI_PASSWORD}@192.168.100.100:16000/simple docaligner
ENTRYPOINT ["python"]

docker build -f docker/Dockerfile -t training_base_image .

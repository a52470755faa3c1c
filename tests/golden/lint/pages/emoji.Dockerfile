# syntax=docker/dockerfile:1
# ðŸš€ ready
FROM scratch
# 中文註解不受影響
COPY app /app

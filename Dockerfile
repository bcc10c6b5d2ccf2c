# A server of one model:
#   docker build -t fullconv .
#   docker run -p 8000:8000 -v ./street.safetensors:/models/model.safetensors:ro -v ./key.txt:/run/secrets/key:ro fullconv
FROM python:3.11-slim
WORKDIR /opt/fullconv
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY models models
RUN python -m venv .venv
RUN .venv/bin/pip install --no-cache-dir ".[serve]"
RUN .venv/bin/fullconv --version
ENV PATH=/opt/fullconv/.venv/bin:$PATH
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz')"]
ENTRYPOINT ["fullconv"]
CMD ["serve", "model=/models/model.safetensors", "--host", "0.0.0.0", "--key-file", "/run/secrets/key"]

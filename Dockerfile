FROM python:3.12-slim AS build
WORKDIR /build
RUN python -m venv /opt/collab-studio
COPY requirements.server.lock ./
RUN /opt/collab-studio/bin/pip install --no-cache-dir --require-hashes --requirement requirements.server.lock
COPY pyproject.toml README.md LICENSE ./
COPY server server
COPY handlers handlers
COPY crdt crdt
COPY storage storage
COPY connectors connectors
COPY analysis analysis
RUN /opt/collab-studio/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
RUN useradd --system --home-dir /data --create-home studio
COPY --from=build /opt/collab-studio /opt/collab-studio
ENV PATH=/opt/collab-studio/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STUDIO_HOST=0.0.0.0 \
    STUDIO_DATA=/data
USER studio
WORKDIR /data
VOLUME /data
EXPOSE 8400
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8400/ready', timeout=3)"]
# The exec form: the stop signal reaches the server itself, which then stores what is under way.
CMD ["collab-studio", "serve"]

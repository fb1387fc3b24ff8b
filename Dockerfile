# Menagerie in one container: PostgreSQL, the workers and Envoy, under `menagerie serve`. docs/deployment.md says how.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/menagerie
COPY pyproject.toml README.md LICENSE THIRD_PARTY_NOTICES.md ./
COPY proto proto
COPY envoy envoy
COPY inference inference
COPY server server
RUN /opt/menagerie/bin/pip install --no-cache-dir '.[server,onnx]'

FROM python:3.11-slim-bookworm
RUN useradd --system --user-group --uid 999 --no-create-home --home-dir /nonexistent menagerie \
    && install --directory --owner=menagerie --group=menagerie --mode=0711 /var/lib/menagerie
COPY --from=build /opt/menagerie /opt/menagerie
ENV PATH=/opt/menagerie/bin:$PATH \
    MENAGERIE_HOST=0.0.0.0 \
    MENAGERIE_DATA_DIR=/var/lib/menagerie
# A number, so that an orchestrator can tell that it is not root.
USER 999:999
VOLUME /var/lib/menagerie
EXPOSE 8080 8000 5001 7860 8003 8004
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
CMD ["menagerie", "serve"]

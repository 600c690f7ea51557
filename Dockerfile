# The module in a container, in two ways:
#
#   docker build --target module --tag original-dst .        # the library alone, for COPY --from
#   docker build --target envoy --tag envoy-original-dst .   # Envoy and the library
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG ENVOY_IMAGE=envoyproxy/envoy:v1.40.0

FROM ${BUILD_IMAGE} AS build
RUN packages="gcc libc6-dev libclang-dev" \
    && if ! dpkg --status $packages >/dev/null 2>&1; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends $packages \
        && rm -rf /var/lib/apt/lists/*; \
    fi
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
COPY sdk sdk
# Cargo wants to see all that the manifests name, be it empty.
COPY benches benches
COPY integration/Cargo.toml integration/
RUN mkdir --parents integration/src integration/tests/parity \
    && touch integration/src/lib.rs integration/tests/parity/main.rs
RUN cargo build --release --locked

FROM scratch AS module
COPY --from=build /src/target/release/liboriginal_dst.so /

FROM ${ENVOY_IMAGE} AS envoy
COPY --from=module /liboriginal_dst.so /usr/local/lib/envoy/
ENV ENVOY_DYNAMIC_MODULES_SEARCH_PATH=/usr/local/lib/envoy
# As in Envoy's own images. Transparent listeners need the capability NET_ADMIN besides.
USER 101:101
CMD ["envoy", "--config-path", "/etc/envoy/envoy.yaml"]

# syntax=docker/dockerfile:1
# The operator's image: one static program and the CA certificates of Debian.
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .
#
# It is built for the architecture that it is built on; the release builds it on
# one machine of each.

FROM docker.io/library/rust:1.95.0-bookworm AS tools
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates musl-tools \
    && rm -rf /var/lib/apt/lists/*
# To compile the dependencies in a layer of their own.
RUN cargo install --locked cargo-chef --version 0.1.78
WORKDIR /src
COPY rust-toolchain.toml ./
RUN rustup target add "$(uname -m)-unknown-linux-musl"

FROM tools AS plan
COPY . .
RUN cargo chef prepare --recipe-path /recipe.json

FROM tools AS build
COPY --from=plan /recipe.json /recipe.json
# The tests' crates are no part of it.
RUN cargo chef cook --release --locked --target "$(uname -m)-unknown-linux-musl" \
    --package neo4j-okta-operator --bin neo4j-okta-operator --recipe-path /recipe.json
COPY . .
RUN cargo build --release --locked --target "$(uname -m)-unknown-linux-musl" \
        --package neo4j-okta-operator --bin neo4j-okta-operator \
    && install -D "target/$(uname -m)-unknown-linux-musl/release/neo4j-okta-operator" \
        /out/neo4j-okta-operator

FROM scratch
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="neo4j-okta-operator" \
      org.opencontainers.image.description="Gives every workload its own machine identity for Neo4j, through Okta" \
      org.opencontainers.image.source="https://github.com/neo4j-okta-operator/neo4j-okta-operator" \
      org.opencontainers.image.documentation="https://github.com/neo4j-okta-operator/neo4j-okta-operator/tree/main/docs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# Whom Okta's and Neo4j's certificates are checked against, unless an issuer's
# `caBundle` says otherwise.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/neo4j-okta-operator /neo4j-okta-operator
# Nobody; it writes no file, so its root can be read-only.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/neo4j-okta-operator"]

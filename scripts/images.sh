# The images that the tests build on. They are made here, so that no image registry is needed,
# unless BASE_IMAGE, ENVOY_IMAGE and BUILD_IMAGE name others. A tag says what an image is made of,
# so that one that is there is good.

debian=bookworm
base_packages=ca-certificates,curl,iproute2,iptables,python3

# Sets BASE_IMAGE: Debian, and what the hosts of the tests need.
base_image() {
    [ -z "${BASE_IMAGE:-}" ] || return 0
    export BASE_IMAGE=$project-base:$debian-$(tag_of "$base_packages")
    ! has_image "$BASE_IMAGE" || return 0
    say "making $BASE_IMAGE, once, in a minute or two"
    scripts/packages debootstrap
    local root=target/$project-base
    rm -rf "$root"
    quietly debootstrap --variant=minbase --include="$base_packages" "$debian" "$root"
    quietly tar --create --file "$root.tar" --directory "$root" --exclude='./dev/*' \
        --exclude='./usr/share/doc/*' --exclude='./usr/share/locale/*' \
        --exclude='./var/cache/*' --exclude='./var/lib/apt/lists/*' .
    quietly docker import "$root.tar" "$BASE_IMAGE"
    rm -rf "$root" "$root.tar"
}

# Sets ENVOY_IMAGE: the Envoy of ENVOY_VERSION, else the newest, on the base image.
envoy_image() {
    base_image
    [ -z "${ENVOY_IMAGE:-}" ] || return 0
    local version=${ENVOY_VERSION:-$(envoy_versions | tail -1)}
    export ENVOY_IMAGE=$project-stock-envoy:$version-$(tag_of "$BASE_IMAGE")
    ! has_image "$ENVOY_IMAGE" || return 0
    scripts/envoys --newest
    layer "$ENVOY_IMAGE" 'COPY envoy /usr/local/bin/' \
        --directory "${ENVOY_DIR:-target/envoy}/$version/envoy/_bin" envoy
}

# Sets BUILD_IMAGE: this host's Rust, and the crates of Cargo.lock, on the base image.
build_image() {
    base_image
    [ -z "${BUILD_IMAGE:-}" ] || return 0
    local rust
    rust=$(rustc --print sysroot)
    export BUILD_IMAGE=$project-build:$(tag_of "$BASE_IMAGE" "$(rustc --version)" "$(cat Cargo.lock)")
    ! has_image "$BUILD_IMAGE" || return 0
    quietly cargo fetch --locked
    layer "$BUILD_IMAGE" 'COPY . /usr/local/
ENV CARGO_HOME=/usr/local CARGO_NET_OFFLINE=true' \
        --exclude=lib/rustlib/src --directory "$rust" bin lib \
        --exclude=registry/src --directory "${CARGO_HOME:-$HOME/.cargo}" registry
}

# Makes an image of the base image, instructions, and the files that tar is told to take.
layer() {
    local image=$1 instructions=$2 context=target/$project-context
    shift 2
    say "making $image"
    mkdir -p "$context"
    printf 'FROM %s\n%s\n' "$BASE_IMAGE" "$instructions" >"$context/Dockerfile"
    quietly tar --create --file "$context/files.tar" "$@" --directory "$PWD/$context" Dockerfile
    docker build --quiet --tag "$image" - <"$context/files.tar" >"$log" 2>&1 || fail "$(cat "$log")"
    rm -rf "$context"
}

tag_of() { sha256sum <<<"$*" | head --bytes=12; }

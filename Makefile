# Every target sees to what it needs by itself; `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo validate bench soak build test races kernels kernels-all compose-test compose-page-test image-test docs check windows fuzz mutants fmt dist dist-test setup clean packages root

# The tests and the demo look for the library and the Envoys in target/.
unexport CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_BUILD_TARGET

##@ Use it
demo: root build ## Show the module at work in a real Envoy, in a few seconds
	@scripts/envoys --newest
	@cargo build --package integration --bin demo
	@target/debug/demo

validate: build ## Check a bootstrap, or a file of listeners or filters: CONFIG=envoy-configs/redirect.yaml
	@[ -n "$(CONFIG)" ] || { echo "Name the file: make validate CONFIG=envoy-configs/redirect.yaml" >&2; exit 1; }
	@scripts/envoys --newest
	@cargo run --quiet --package integration --bin validate -- "$(CONFIG)"

bench: root build ## Measure what the module costs, in half an hour on an idle machine, and plot it: target/bench
	@scripts/envoys --newest
	@cargo build --quiet --release --package envoy-proxy-dynamic-modules-rust-sdk --examples
	@cargo run --quiet --release --package integration --bin bench

soak: root build ## Send a million connections while listeners change, in some minutes
	@scripts/envoys --newest
	@cargo run --quiet --package integration --bin soak

build: packages ## Build the library, target/release/liboriginal_dst.so
	@cargo build --release

##@ Work on it
test: root build ## Run every test, in every Envoy, and in containers where a Docker engine runs
	@scripts/envoys
	@scripts/prometheus
	@status=0; scripts/races || status=$$?; cargo test --workspace --no-fail-fast || status=$$?; \
	    scripts/container-tests || status=$$?; exit $$status

kernels: root build ## Try an old kernel, a new one and one for arm64, in guests: KERNELS="6.1 arm64-7.x" SUITES="configs parity"
	@scripts/kernels

kernels-all: root build ## Run the long suites under every kernel, before a release; it takes hours
	@KERNELS="$${KERNELS:-$$(scripts/kernels --list)}" SUITES="$${SUITES:-kernels nft_only configs parity options}" \
	    LIMIT="$${LIMIT:-7200}" scripts/kernels

compose-test: root build ## Try every path through a gateway and a mesh of containers, in two minutes
	@scripts/engine
	@scripts/compose-test

compose-page-test: root build ## Run the commands of docs/getting-started/compose.md
	@scripts/engine
	@scripts/compose-page-test

image-test: root build ## Build and try the images of the Dockerfile
	@scripts/engine
	@scripts/image-test

races: packages ## Try every order in which worker threads can meet, with the model checker loom
	@scripts/races

check: packages ## Check format, lints, documentation, links, manifests, alert rules and dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace
	cargo test --quiet --package integration --test docs links
	scripts/docs
	scripts/manifests
	scripts/rules
	scripts/audit
	scripts/newer-envoys

docs: packages ## Build the site of the documents, and follow its links: target/docs
	@scripts/docs

windows: packages ## Build the DLL for Windows, and test it under Wine
	@scripts/windows

fuzz: packages ## Fuzz every target for a minute: SECONDS_EACH=60 TARGETS="rules socket" MERGE=1
	@scripts/fuzz

mutants: packages ## Break the code in hundreds of places, and see which no test notices: FILES="src/filter.rs"
	@scripts/mutants

fmt: ## Format the code
	@cargo fmt --all

##@ Release it
dist: ## Make release archives for x86_64 and aarch64, target/dist/
	@scripts/dist

dist-test: dist ## Test the archives: same bytes when built again, Envoys of both architectures load them
	@scripts/dist-test

##@ Around it
setup: packages ## Install Debian packages and fetch Envoys, whatever is missing
	@scripts/envoys
	@scripts/prometheus

clean: ## Remove target/: what was built, and the Envoys
	@cargo clean

help: ## List the targets
	@awk -F ':.*## ' ' \
	    /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 } \
	' $(MAKEFILE_LIST)
	@echo
	@echo "Needs Debian with cargo (rustup); demo, the tests, and whatever has to be installed, need root."
	@echo "ENVOY_VERSION=1.39.1, any that PyPI has, limits demo, validate, the tests, soak and setup to it; bench measures it."
	@echo "ROUNDS=200 makes bench measure CPU time in so many rounds; 60, and 40 end to end, if not said."
	@echo "PART=instructions makes bench measure accepting alone, PART=end-to-end the whole proxy, with traffic."
	@echo "CONNECTIONS=50000000 makes soak longer."
	@echo "docs/bench.svg and docs/bench-end-to-end.svg are copies of report.svg and end-to-end.svg in target/bench."

packages:
	@scripts/packages

root:
	@[ "$$(id -u)" = 0 ] || { echo "This makes network namespaces: run it as root." >&2; exit 1; }

# Two commands: `make up` builds and runs the network; `make test` checks, builds and runs every test.
# Both install what they need and say what they do.

CARGO ?= cargo
SCENARIO ?= ukraine

# What a user's packets need: addresses and routes, the kernel's NAT (root) and pasta (ordinary user).
RUN_PACKAGES = build-essential iproute2 nftables passt
# The real programs that the end-to-end tests send through the sky, and Python for published clients of the dishes.
TEST_PACKAGES = $(RUN_PACKAGES) iperf3 curl bind9-dnsutils iputils-ping openssh-server openssh-client procps util-linux postgresql \
	protobuf-compiler python3 python3-venv

.PHONY: help up build test lint wasm bench doc packages-run packages-test install clean

help: ## this text
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

up: packages-run build ## build, then run the network (SCENARIO=ukraine)
	./target/release/skyweave up $(SCENARIO)

build: ## build the program: target/release/skyweave
	@command -v $(CARGO) >/dev/null || { echo "skyweave needs Rust 1.90 or newer: https://rustup.rs, then run make again"; exit 1; }
	$(CARGO) build --release --locked -p skyweave

test: packages-test lint ## check formatting and lints, build, and run every test
	$(CARGO) test --locked --workspace --no-fail-fast
	scripts/wasm/check

lint: ## formatting, clippy and documentation, warnings are errors
	@command -v $(CARGO) >/dev/null || { echo "skyweave needs Rust 1.90 or newer: https://rustup.rs, then run make again"; exit 1; }
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet

wasm: ## build the orbit library for WebAssembly, and hold its positions there against those here
	scripts/wasm/check

bench: build ## run every benchmark (docs/performance.md explains them)
	$(CARGO) bench --locked --workspace

doc: ## build the documentation of all crates
	$(CARGO) doc --locked --workspace --no-deps

install: build ## install the program for this user
	$(CARGO) install --locked --path crates/skyweave

packages-run:
	@scripts/packages $(RUN_PACKAGES)

packages-test:
	@scripts/packages $(TEST_PACKAGES)

clean: ## remove what was built
	$(CARGO) clean

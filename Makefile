# The everyday commands; continuous integration calls the same. `make` alone lists them.
MAKEFLAGS += --no-print-directory
CARGO ?= cargo
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release

.DEFAULT_GOAL := help
.PHONY: help run test bench rivals api check conformance fuzz fmt lint services-installed

help: ## list the targets
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1	\2/p' Makefile

run: ## everything on this machine: PostgreSQL, Redis, admin plane, router, a demo tenant; Ctrl-C stops it
	@deploy/run

# The integration tests start the real programs from the target directory. Building them together with the tests gives
# both one set of features, so that nothing is built twice.
test: services-installed lint ## format, lints and every test, against private PostgreSQL and Redis
	$(CARGO) build --workspace --bins --tests
	deploy/services exec --ephemeral -- $(CARGO) test --workspace

bench: services-installed ## criterion for each step of a call; load, latency, counts, memory, start; commit to answer
	$(CARGO) bench -p dialplane-bench --benches
	$(CARGO) build --release --workspace --bins
	$(RELEASE)/dialplane-bench load
	@$(MAKE) rivals
	$(RELEASE)/dialplane-bench tls
	$(RELEASE)/dialplane-bench latency
	$(RELEASE)/dialplane-bench pressure
	$(RELEASE)/dialplane-bench listeners
	$(RELEASE)/dialplane-bench limits
	$(RELEASE)/dialplane-bench counts
	$(RELEASE)/dialplane-bench footprint
	$(RELEASE)/dialplane-bench start
	deploy/services exec --ephemeral -- $(RELEASE)/dialplane-bench propagation
	deploy/services exec --ephemeral -- $(RELEASE)/dialplane-bench import
	deploy/services exec --ephemeral -- $(RELEASE)/dialplane-bench usage
	@$(MAKE) api

# Those that aren't installed are left out, with the command that installs them.
rivals: services-installed ## the router beside other servers in one run, and the README's plots of it
	$(CARGO) build --release --workspace --bins
	deploy/services exec --ephemeral -- $(RELEASE)/dialplane-bench rivals --json bench/plots/rivals.json
	$(RELEASE)/dialplane-bench plots --rivals bench/plots/rivals.json --out bench/plots

# On a PostgreSQL that is as durable as in production: what a commit costs is part of it.
api: services-installed ## the REST API beside PostGraphile and pgbench; wants bench/rivals/install
	$(CARGO) build --release --workspace --bins
	deploy/services exec -- $(RELEASE)/dialplane-bench api

check: services-installed lint ## format, lints, documentation without warnings, dependencies' licences and bans
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --no-deps --workspace --document-private-items
	@if command -v cargo-deny > /dev/null; then $(CARGO) deny check; \
	else echo 'check: cargo-deny is not installed, so licences, bans and advisories were not checked'; fi
	@if command -v shellcheck > /dev/null; then shellcheck -x deploy/services deploy/run deploy/run-planes .ci/run; \
	else echo 'check: shellcheck is not installed, so the scripts were not checked'; fi

conformance: ## every answer against the providers' own libraries; wants python3, npm and the network
	@bench/conformance/run

fuzz: services-installed ## the running REST API against its OpenAPI document; wants python3 and the network
	@bench/fuzz/run

fmt: ## format the code
	$(CARGO) fmt --all

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

# Before the first build: it also sees to the linker.
services-installed:
	@deploy/services install

# The vocabulary of the project. `make help` lists it; CI calls the same words.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Build results live outside the checkout, so that clones share them; delete the folder and everything is built again.
export MEF_CACHE ?= $(HOME)/.cache/mef
export CARGO_TARGET_DIR ?= $(MEF_CACHE)/target
TOOLS := $(MEF_CACHE)/tools
DENY_VERSION := 0.20.2

.PHONY: help
help: ## List the words
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: run
run: ## Run the Zoom source on this machine: mef dev examples/zoom/zoom-source.yaml
	cargo run --quiet --package mef -- dev examples/zoom/zoom-source.yaml

.PHONY: build
build: ## Build the mef binary (target/debug/mef in the cache folder)
	cargo build --package mef

.PHONY: test
test: tools ## What a contributor runs: every test, on real parts
	MEF_BUILT=1 cargo test --locked --workspace --no-fail-fast

.PHONY: vectors
vectors: ## The published signature vectors; MEF_VECTORS=<file>[:<file>] adds files of the same format
	cargo test --package mef-pipeline --test vectors -- --nocapture

.PHONY: soak
soak: tools ## What takes long: 100 kills under load, longer property tests, an operator cut at every request, 1,000 sources, ten minutes of every fuzz target
	MEF_SOAK=1 PROPTEST_CASES=4096 cargo test --package mef-queue --package mef-replay --package mef-pipeline --package mef-e2e --no-fail-fast -- --nocapture
	MEF_SOAK=1 cargo test --package mef-operator --test it --no-fail-fast -- --nocapture --test-threads 2
	MEF_FUZZ_SECONDS=$${MEF_FUZZ_SECONDS:-600} $(MAKE) --no-print-directory fuzz

# Apart from all other builds: the same crates, with counters in them.
FUZZ_TARGET_DIR := $(CARGO_TARGET_DIR)-fuzz

.PHONY: fuzz
fuzz: ## Fuzz every target for MEF_FUZZ_SECONDS (60); MEF_FUZZ_TARGETS="parse splice" takes only those
	cd fuzz && RUSTC_WRAPPER=$$PWD/rustc-with-coverage CARGO_TARGET_DIR=$(FUZZ_TARGET_DIR) cargo build --locked --quiet --profile fuzz
	fuzz/run $(FUZZ_TARGET_DIR)/fuzz/mef-fuzz $(MEF_CACHE)/fuzz $(MEF_FUZZ_TARGETS)

.PHONY: bed
bed: ## Start a cluster of one real node on this machine (root), with JetStream; print its kubeconfig
	@tests/bed/node/up

.PHONY: bed-down
bed-down: ## Stop it, and remove what it left
	@tests/bed/node/down

.PHONY: images
images: ## Build the images of operator and receiver, and hand them to the bed where it runs
	@tests/bed/images/build

.PHONY: e2e
e2e: ## Sources in pods on a real node: the bed, which it starts; with MEF_E2E=1 and KUBECONFIG your cluster
	$(if $(MEF_E2E),,env -u KUBECONFIG) MEF_E2E=1 cargo test --locked --workspace --test cluster -- --nocapture $(MEF_E2E_ONLY)

.PHONY: e2e-aws
e2e-aws: tools ## Sources in AWS as MiniStack plays it: REST API, HTTP API, and with the bootstrap template's policies (minutes)
	cargo build --locked --workspace --bins
	MEF_E2E_AWS=1 MEF_BUILT=1 cargo test --locked --workspace --test it -- --nocapture aws_story

.PHONY: lint
lint: $(TOOLS)/bin/cargo-deny ## Format, clippy with warnings as errors, generated files, bans, licences, sources, the fuzzers' lock file
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy $(FUNCTION) --bin bootstrap -- -D warnings
	cargo run --quiet --package mef-crds --bin crdgen -- --check crds
	cargo run --quiet --package mef --bin providersgen -- --check docs/providers.md
	examples/argocd/lua/make - | diff - examples/argocd/argocd-cm.yaml
	$(TOOLS)/bin/cargo-deny check bans licenses sources
	cargo metadata --locked --quiet --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null

# Release builds, in a folder of the machine's disk: what is measured is made durable there.
BENCH_FOLDER ?= $(MEF_CACHE)/bench

.PHONY: bench
bench: ## Measure what an event costs against bare parts and peers, as ratios (15 minutes, two cores that do nothing else)
	@bench/run $(BENCH_FOLDER) --rounds 7 --minutes 15

.PHONY: bench-quick
bench-quick: ## The same in three minutes
	@bench/run $(BENCH_FOLDER) --rounds 3 --minutes 3

.PHONY: bench-agree
bench-agree: ## Say whether the last two runs of it agree, row by row
	$(CARGO_TARGET_DIR)/release/mef-bench agree $(BENCH_FOLDER)/before.json $(BENCH_FOLDER)/report.json

# A function's program is fetched at every cold start. Of functions that are alike one is kept, and what is alike lies side by
# side, where the zip's compression sees it; both are words of lld, which rustc brings for x86-64. Without the default features
# nothing of a pod is linked.
FUNCTION := --locked --package mef-receiver --no-default-features --features lambda,info-lines
FUNCTION_LINK := -C link-arg=-Wl,--icf=all -C link-arg=-Wl,--bp-compression-sort=both

.PHONY: lambda
lambda: ## Build a function's program and zip it: target/lambda/bootstrap-x86_64.zip in the cache folder
	cargo rustc $(FUNCTION) --profile lambda --bin bootstrap -- $(FUNCTION_LINK)
	receiver/lambda/package $(CARGO_TARGET_DIR)/lambda/bootstrap $(CARGO_TARGET_DIR)/lambda/bootstrap-x86_64.zip

.PHONY: bench-lambda
bench-lambda: build lambda ## Measure a function's start beside the same in Python with boto3: size, CPU time, memory
	bench/lambda/run $(CARGO_TARGET_DIR)/debug/mef $(CARGO_TARGET_DIR)/lambda/bootstrap $(CARGO_TARGET_DIR)/lambda/bootstrap-x86_64.zip

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: generate
generate: ## Write the generated files: crds/*.yaml, crds/schemas/*, docs/providers.md, examples/argocd/argocd-cm.yaml
	cargo run --quiet --package mef-crds --bin crdgen -- --write crds
	cp crds/*.yaml charts/mef/crds-source/
	examples/argocd/lua/make examples/argocd/argocd-cm.yaml
	cp examples/argocd/argocd-cm.yaml charts/mef/argocd-source/
	cargo run --quiet --package mef --bin providersgen -- --write docs/providers.md

.PHONY: tools
tools: ## Install what the tests need beside Rust: an API server, MiniStack, a schema validator to compare with, strace
	@tests/bed/tools

$(TOOLS)/bin/cargo-deny:
	cargo install --quiet --locked --root $(TOOLS) --version $(DENY_VERSION) cargo-deny

.DEFAULT_GOAL := help
SHELL := bash

# A release is built from its tag; every other build says "dev", so that a commit alone relinks nothing.
export VERSION ?= $(or $(shell git describe --tags --exact-match --match 'v*' --dirty=-dirty 2>/dev/null),dev)
export CGO_ENABLED ?= 1

# souk-agent carries containers out: Linux only. Its logger is built into build/libexec.
COMMANDS := $(filter $(if $(filter Darwin,$(shell uname -s)),souk soukd,soukd souk souk-agent), \
	$(patsubst cmd/%/main.go,%,$(wildcard cmd/*/main.go)))
MODULE := github.com/souk-network/souk
SDK_VERSION := github.com/cosmos/cosmos-sdk/version
LDFLAGS = -s -w -X $(MODULE)/internal/version.Version=$(VERSION) \
	-X $(SDK_VERSION).Name=souk -X $(SDK_VERSION).AppName=$(1) -X $(SDK_VERSION).Version=$(VERSION)
# Development builds do without -trimpath, to share the compiled packages with the tests.
GO_BUILD := go build $(if $(filter dev,$(VERSION)),-buildvcs=false,-trimpath)
INSTALL_DIR ?= $(or $(shell go env GOBIN),$(shell go env GOPATH)/bin)

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Get this machine ready; Go is the one prerequisite
	@scripts/setup

.PHONY: build
build: setup $(COMMANDS:%=build/%) libexec examples/hello/hello.tar ## Build soukd, souk and souk-agent into build/

# go build itself knows what is up to date.
.PHONY: $(COMMANDS:%=build/%)
$(COMMANDS:%=build/%): build/%:
	@$(GO_BUILD) -ldflags '$(call LDFLAGS,$*)' -o $@ ./cmd/$*

.PHONY: libexec
libexec: ## Build what the agent runs beside itself: runc, the shim, CNI plugins, the logger
	@if [[ $$(uname -s) == Linux && -x scripts/build-libexec ]]; then scripts/build-libexec; fi

.PHONY: libexec-gvisor
libexec-gvisor: ## Build runsc beside them, for the isolation class gvisor (takes minutes)
	@scripts/build-libexec --gvisor

examples/hello/hello.tar: $(wildcard examples/hello/*.go examples/hello/image/*.go)
	@go run ./examples/hello/image -o $@

.PHONY: install
install: build ## Copy the binaries, and libexec beside them, to INSTALL_DIR (go's bin by default)
	@scripts/install "$(INSTALL_DIR)" $(COMMANDS)

.PHONY: proto
proto: ## Generate code from proto/ (MODULES="escrow agent" for some only)
	@scripts/proto $(MODULES)

.PHONY: fmt
fmt: ## Format Go and proto files
	@scripts/fmt

.PHONY: lint
lint: ## Check style, import rules and determinism
	@scripts/lint

# These take long or need more than this repository: each has its own target.
LONG_TESTS := $(wildcard $(addprefix tests/,chaos compat uml kubernetes))
TESTRUN := go run ./tools/testrun

.PHONY: test
test: build ## Run all tests that fit in ten minutes
	@$(TESTRUN) -p 2 -timeout 25m $(LONG_TESTS:%=-skip ./%/...) $(if $(wildcard tests),-fresh ./tests/...) ./... -- -vet=off

.PHONY: test-e2e
test-e2e: build ## Run the end-to-end tests with real processes and containers (Linux, root)
	@ALL_MOMENTS=1 $(TESTRUN) -p 1 -timeout 40m -fresh ./tests/... ./tests/e2e/... -- -vet=off

.PHONY: test-runtime
test-runtime: build libexec-gvisor ## Hold the agent's runtime to its suite with runc and with gVisor, slow cases too (Linux, root)
	@SOUK_LONG=1 $(TESTRUN) -p 1 -timeout 60m -fresh ./agent/runtime/... ./agent/runtime/... -- -vet=off

.PHONY: test-uml
test-uml: build ## Hold the runtime to its suite on cgroup v2, in Linux for user mode (RUN=regexp, VERBOSE=1; Debian)
	@scripts/uml-kernel
	@$(TESTRUN) -p 1 -timeout 120m -fresh ./tests/... ./tests/uml/... -- -vet=off

.PHONY: cover
cover: ## Measure what the tests of modules and clearing reach
	@scripts/cover

.PHONY: test-compat
test-compat: build ## Run clients of others against a node: CosmJS, gRPC reflection (needs node 20.19 and npm)
	@scripts/proto-tools
	@$(TESTRUN) -p 1 -timeout 15m -fresh ./tests/... ./tests/compat/... -- -vet=off

.PHONY: test-node
test-node: build/soukd ## Crash, upgrade, sync, restore and roll back real nodes, longer than make test does (KILLS=100, SEED=n)
	@KILLS=$(or $(KILLS),40) $(TESTRUN) -p 1 -timeout 60m -fresh ./tests/... ./tests/node/... -- -vet=off

.PHONY: test-sim
test-sim: ## Simulate random histories of the whole chain (SEEDS=50 BLOCKS=100 OPS=60; SEED=n for one), and honest providers (PROVIDER_EPOCHS=1000000)
	@SEEDS=$(or $(SEEDS),50) BLOCKS=$(or $(BLOCKS),100) PROVIDER_EPOCHS=$(or $(PROVIDER_EPOCHS),1000000) \
		go test -count 1 -vet=off -timeout 4h -v ./tests/sim/... \
		-parallel $(or $(PARALLEL),2) $(if $(RUN),-run '$(RUN)')

.PHONY: bench
bench: build ## Measure, and hold the figures against bench/targets.json (BENCH=regexp, BENCHTIME=1s, REPORT=bench/RESULTS.md)
	@go run ./tools/benchrun $(if $(BENCH),-bench '$(BENCH)') $(if $(BENCHTIME),-benchtime $(BENCHTIME)) \
		-targets bench/targets.json $(if $(REPORT),-report '$(REPORT)') ./...

.PHONY: bench-pack
bench-pack: ## Replay the published packing runs of the openb trace (SOUK_DATA; two minutes)
	@go run ./tools/benchrun -benchtime 1x -targets bench/targets.json $(if $(REPORT),-report '$(REPORT)') ./pack/...

.PHONY: bench-market
bench-market: ## Measure clearing on real requests and machines beside an exact LP, and through the keeper (SOUK_DATA; REPORT=bench/RESULTS-market.md)
	@scripts/lp-oracle || echo "without the exact LP" >&2
	@go run ./tools/benchrun -bench '^Benchmark(Market|Clearing)' $(if $(BENCHTIME),-benchtime $(BENCHTIME)) \
		-targets bench/targets.json $(if $(REPORT),-report '$(REPORT)') ./match ./x/market/keeper

.PHONY: bench-misreport
bench-misreport: ## Measure what misreports to the market gain (SOUK_DATA, SEEDS=40; REPORT=bench/RESULTS-misreport.md; minutes)
	@SEEDS=$(or $(SEEDS),40) go run ./tools/benchrun -benchtime 1x -targets bench/targets.json \
		$(if $(REPORT),-report '$(REPORT)') ./bench/misreport

.PHONY: bench-proof
bench-proof: ## Measure what proof of service costs: commitments, openings, trees, draws, beacon rounds (REPORT=bench/RESULTS-proof.md)
	@go run ./tools/benchrun -bench '^Benchmark(Proof|.*Of100kLeaves$$|Verify$$)' $(if $(BENCHTIME),-benchtime $(BENCHTIME)) \
		-targets bench/targets.json $(if $(REPORT),-report '$(REPORT)') ./bench/chain ./tests/sim/proof ./sumtree ./beacon

.PHONY: demo
demo: build ## Run a whole network here, deploy a server on it, use it, close it, check the refund
	@scripts/demo

.PHONY: clean
clean: ## Remove what was built
	rm -rf build

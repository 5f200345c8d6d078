.DEFAULT_GOAL := help

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: proto
proto: ## Generate code from proto/ (MODULES="escrow agent" for some only)
	@scripts/proto $(MODULES)

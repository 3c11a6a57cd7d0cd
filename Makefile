# What people type. The work is in scripts/, where each script says what it does.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run dev test chaos check lab lab-stop bench build setup

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: ## install what is missing, build, and serve the demonstration at http://127.0.0.1:3000
	@scripts/setup run
	@scripts/build release
	@. scripts/shell.sh; say "Serving the demonstration"; exec "$$(target_dir)/release/rondo" serve --demo --listen 127.0.0.1:3000 --data ./data

dev: ## the same with the debug build: quicker to build, says more
	@scripts/setup run
	@scripts/build dev
	@. scripts/shell.sh; say "Serving the demonstration (debug build)"; exec "$$(target_dir)/debug/rondo" serve --demo --listen 127.0.0.1:3000 --data ./data

build: ## install what is missing and build the release binary
	@scripts/setup run
	@scripts/build release

test: ## install what is missing and run every test (TESTS="rust docs end2end" to choose)
	@scripts/setup test
	@scripts/test $(TESTS)

chaos: ## kill nodes and PostgreSQL under load for minutes, then fuzz (CHAOS="kill fuzz" to choose)
	@scripts/setup chaos
	@scripts/chaos $(CHAOS)

check: ## the quick loop: format, lints, types, arrows between crates
	@scripts/setup check
	@scripts/check

lab: ## start OpenLDAP and an SMTP server on loopback, to try Rondo against (SERVICES="openldap smtp postgres")
	@scripts/setup test
	@scripts/lab start $(SERVICES)

lab-stop: ## stop them
	@scripts/lab stop $(SERVICES)

bench: ## measure
	@scripts/setup test
	@scripts/bench

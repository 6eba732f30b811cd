# Short words for what people do with a checkout. `make run` is all a new machine needs.

VENV := .venv/bin
# Two cores are the least that CI has; more make it quicker.
JOBS ?= logical
# Tests start many processes: each would compile all that it imports where bytecode is not kept.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install run dev test check lint format types tests messages bench clean

help: ## What there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## Set up .venv (Python 3.11 or newer); TRAIN=no leaves out torch: this machine only labels
	@scripts/setup $(if $(filter no,$(TRAIN)),label)

run: install ## Start Annotune on this machine: http://127.0.0.1:8000
	@exec $(VENV)/annotune up $(ARGS)

dev: ## Set up .venv with what tests and checks need
	@scripts/setup test

test: dev ## All checks and all tests
	@scripts/find-chromium --install >/dev/null || true
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory tests

tests: dev ## The tests alone (ARGS="tests/api -x" for some of them)
	@$(VENV)/python -m pytest -n $(JOBS) --maxprocesses 8 --dist worksteal $(ARGS)

# The checks do not need each other.
check: dev ## Lint, types, import rules and templates, side by side
	@$(MAKE) --no-print-directory --jobs=2 lint types

lint: dev ## Style, import rules, templates
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check --quiet .
	@$(VENV)/lint-imports --no-cache >/dev/null || $(VENV)/lint-imports --no-cache
	@if ls templates/*/*.html >/dev/null 2>&1; then $(VENV)/djlint templates --lint --quiet; fi

types: dev
	@$(VENV)/mypy --no-error-summary

format: dev ## Put the code into shape
	@$(VENV)/ruff check --fix --quiet . || true
	@$(VENV)/ruff format --quiet .

messages: dev ## Bring the Chinese catalog up to date; then translate what is empty in it
	@$(VENV)/pybabel -q extract -F pyproject.toml -k mark -k _ -k ngettext:1,2 --no-location --sort-output -o .messages.pot .
	@$(VENV)/pybabel -q update -i .messages.pot -o app/locale/zh/messages.po -l zh -w 100 --no-fuzzy-matching --ignore-obsolete --omit-header
	@rm .messages.pot

bench: dev ## Measure what is claimed: make bench NAME=load; without a name, which there are
	@$(if $(NAME),$(VENV)/python benchmarks/$(NAME).py,grep -m 1 '^"""' benchmarks/*.py | sed 's/.py:"""/: /; s,benchmarks/,,')

clean: ## Remove what was installed and cached; data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

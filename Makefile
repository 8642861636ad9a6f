# Everything a developer or a first visitor types. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast test-hardware contracts golden check bench behaviour models web homeassistant flash-packages test-flash test-field system-packages bundle bundle-locks system-bundle clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 18

# The stamp is newer than setup.cfg once everything it names is installed.
.venv/.dev: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv/.demo: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	@echo 'Installing what the demo needs into .venv (about a minute) ...' >&2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

install: .venv/.demo ## install into .venv; no root needed

demo: .venv/.demo web ## a stolen fob at a simulated door: watch it as a guard does, in a browser
	$(BIN)/doorward demo --dashboard

web: ## build the dashboard (central/web/dist), with npm or with Node from a wheel
	@tools/build_web.sh

system-packages: ## Debian packages that the system tests need (Mosquitto, PostgreSQL, Chromium); asks for root where needed
	@tools/system_packages.sh

test-fast: .venv/.dev ## rules, parsers, state machines, drivers: under a minute
	$(BIN)/pytest -q -m 'not system and not slow and not rebuild and not hardware and not homeassistant and not field'

test: .venv/.dev system-packages web test-flash ## everything, with real brokers and killed processes
	$(BIN)/pytest -q -m 'not rebuild and not hardware and not homeassistant and not field'

test-hardware: .venv/.dev ## pins on a kernel's own GPIO chips, in User-Mode Linux (built once, three minutes); HARDWARE='tests/contracts -k lock' for some
	tools/uml/build.sh $(CURDIR)/var/uml
	tools/uml/run.sh $(CURDIR)/var/uml -q -m hardware $(or $(HARDWARE),tests)

flash-packages:
	@tools/system_packages.sh bats shellcheck fdisk mtools xz-utils e2fsprogs openssl openssh-client openssh-server python3-yaml

test-flash: .venv/.dev flash-packages ## flash.sh on image files and loop devices: cut-off writes, wrong disks, full ones (bats)
	bats tests/flash

bundle: .venv/.dev ## everything a door needs in one signed file (dist/); BOARD=pi5 for one board, BUNDLE_KEY=FILE for your own key
	$(BIN)/python -m tools.bundle $(addprefix --board ,$(BOARD))

bundle-locks: .venv/.dev ## ask PyPI anew which packages go into bundles (tools/bundle/locks); then try them and commit
	$(BIN)/python -m tools.bundle locks

system-bundle: ## a signed bundle with a whole system (docs/UPDATES.md), as root: BOARD=pi5 ROOT=FOLDER BOOT=FOLDER KEYS=FOLDER RELEASE=NAME
	tools/rauc/system_bundle.sh --board '$(BOARD)' --root '$(ROOT)' $(if $(BOOT),--boot '$(BOOT)') --keys '$(KEYS)' --release '$(RELEASE)' \
		--out 'dist/doorward-system-$(RELEASE)-$(BOARD).raucb'

field-packages:
	@tools/system_packages.sh mosquitto openssl mmdebstrap qemu-user-static qemu-system-x86 qemu-utils swtpm swtpm-tools e2fsprogs mtools dosfstools rauc squashfs-tools

# As root: root file systems, loop devices, virtual machines
test-field: .venv/.dev field-packages ## a whole door without a board: virtual machines whose power is cut, an arm64 system; as root; FIELD='-k services' for some
	@for board in rehearsal pi5; do \
		ls dist/release.pub dist/doorward-*-$$board.tar >/dev/null 2>&1 || $(BIN)/python -m tools.bundle --board $$board; done
	tools/field/vm.sh build
	tools/field/gpio_sim.sh $${SUITE:-bookworm} var/field/vm/$${SUITE:-bookworm}
	$(BIN)/pytest -m field -p no:randomly $(or $(FIELD),tests)

contracts: .venv/.dev ## every device and its simulator under one contract, with a table of what was kept
	$(BIN)/pytest -q tests/contracts -m 'not hardware'

golden: .venv/.dev ## record the golden episodes anew (tests/golden); then say in the commit why they changed
	$(BIN)/python -m tests.golden

check: .venv/.dev ## linter, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# An environment of its own: what we compare with must not weigh on what is measured, nor on the tests.
# OpenCV 5 has no Haar cascades any more: version 4 lies in a folder of its own, for a process of its own.
# face_recognition without its dependencies, because it asks for a dlib that would be compiled; dlib-bin has it as a wheel.
.venv-bench/.bench: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-bench
	@echo 'Installing what the benchmarks need into .venv-bench (a minute or two) ...' >&2
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps face-recognition==1.3.0
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target .venv-bench/opencv4 opencv-python-headless==4.14.0.94
	@touch $@

bench: .venv-bench/.bench ## measure, beside what people use today; writes docs/BENCHMARKS.md (about half an hour; BENCH=--quick: a few minutes)
	.venv-bench/bin/python -m tools.bench $(BENCH)

behaviour: .venv/.dev ## false alarms, detection, delay and cost of behaviour; writes docs/BEHAVIOUR.md (about half an hour; BEHAVIOUR='--passes 200' for a look)
	$(BIN)/python -m tools.behaviour $(BEHAVIOUR)

models: .venv/.dev ## rebuild the model files from their sources (a heavy environment of its own)
	$(PYTHON) -m venv .venv-models
	.venv-models/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[models]'
	.venv-models/bin/doorward models build

# Home Assistant pins nearly everything it needs, and runs on Python 3.11: an environment of its own, never ours.
.venv-homeassistant/.stamp: Makefile
	$(PYTHON) -m venv .venv-homeassistant
	.venv-homeassistant/bin/python -m pip install --quiet --disable-pip-version-check \
		homeassistant==2024.3.3 'josepy<2' paho-mqtt==1.6.1 janus==1.0.0
	@touch $@

homeassistant: .venv/.dev .venv-homeassistant/.stamp ## a real Home Assistant makes entities of a door (PYTHON=python3.11)
	$(BIN)/pytest -q -m homeassistant

clean: ## remove environments and what the demo left
	rm -rf .venv .venv-bench .venv-models .venv-homeassistant demo-out var

# The short front of the meson build. `make help` tells the targets.
BUILD ?= build
DESTDIR ?=
PREFIX ?= /usr/local
NINJA_FLAGS ?=

.PHONY: all demo check check-fast bench fuzz install clean help deps format

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) $(NINJA_FLAGS)

$(BUILD)/build.ninja:
	@tools/install-deps build
	@meson setup $(BUILD) --prefix=$(PREFIX) >/dev/null

demo: ## installs what is missing, builds, and plays one whole call through a real, private Asterisk
	@tools/install-deps build
	@$(MAKE) --no-print-directory all
	@tools/get-asterisk --unless-installed build/asterisk
	@$(BUILD)/sidetone demo --asterisk build/asterisk

check: ## builds and runs every test; ends with "N passed, N failed"
	@tools/install-deps test
	@tools/check all

check-fast: ## unit and transcript tests only
	@tools/install-deps test
	@tools/check fast

bench: all ## measures, and prints one line of JSON a benchmark
	@tools/install-deps test
	@meson setup $(BUILD)-bench --buildtype=release -Dbench=true >/dev/null 2>&1 || true
	@ninja -C $(BUILD)-bench $(NINJA_FLAGS)
	@tools/bench $(BUILD)-bench
	@tools/bench-ami $(BUILD)-bench
	@tools/get-asterisk --unless-installed $(BUILD)/asterisk
	@tools/bench-asterisk $(BUILD)-bench --asterisk $(BUILD)/asterisk

fuzz: ## ten minutes a codec
	@tools/install-deps test
	@tools/fuzz 600

install: $(BUILD)/build.ninja ## DESTDIR and PREFIX are honoured
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@ninja -C $(BUILD) $(NINJA_FLAGS)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

clean: ## removes what was built (and the unpacked Asterisk)
	@rm -rf $(BUILD) $(BUILD)-*

deps:
	@tools/install-deps test

format:
	@clang-format -i $$(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'fuzz/*.c' 'bench/*.c')

help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

# tine: build, test, measure. Everything a target needs beyond Go, gcc and make
# is installed by "make deps" on Debian, or named if it cannot be.

GO      ?= go
PKGS    := ./...
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build test short full lockstep race model bench bench-scale bench-page lint fuzz cross deps clean

build:
	CGO_ENABLED=0 $(GO) build -o bin/tine ./cmd/tine

# What a change must pass: about ten minutes on two cores.
test: deps lint cross
	$(GO) test -timeout 20m $(PKGS)
	$(MAKE) race

race:
	$(GO) test -race -short -timeout 10m ./internal/mm ./internal/vfs ./internal/kernel .

# All comparisons with native Linux, the long ones too.
full: deps
	TINE_ORACLE=full $(GO) test -count=1 -timeout 60m ./internal/oracle

# Real programs on both engines in lock step.
lockstep: deps
	TINE_LOCKSTEP=full $(GO) test -count=1 -timeout 60m -run TestPrograms ./internal/lockstep
	TINE_ENGINE=lockstep $(GO) test -count=1 -timeout 60m -run 'Guests|Commands|Terminals|Services|Core|Failures|Errnos|Init' ./internal/oracle

# Runs what the process model's table names and writes docs/process-model.md.
model: deps
	TINE_ORACLE=full $(GO) test -json -timeout 60m ./internal/oracle ./internal/kernel ./internal/mm ./internal/tty ./cmd/tine \
		| $(GO) run ./internal/oracle/mkmodel -record

# Measurements beside native Linux, qemu-user and gVisor, added to bench.json:
# all rows, or what BENCH='-run ^cpu/' selects; how costs grow; and the page of
# both, docs/performance.md.
bench: deps-bench
	$(GO) run ./bench -json bench.json $(BENCH)

bench-scale:
	$(GO) run ./bench -scale -json bench.json $(BENCH)

bench-page:
	$(GO) run ./bench -page -json bench.json

lint:
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt: $$out"; exit 1; fi
	$(GO) vet $(PKGS)
	$(GO) run $(STATICCHECK) $(PKGS)

fuzz:
	$(GO) test -run xxx -fuzz FuzzDecode -fuzztime 60s ./internal/x86
	$(GO) test -run xxx -fuzz FuzzProgram -fuzztime 60s ./internal/interp

cross:
	@for os in linux darwin windows; do for arch in amd64 arm64; do \
		echo "build $$os/$$arch"; GOOS=$$os GOARCH=$$arch CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/tine || exit 1; \
	done; done

# The programs that tests compare with native Linux.
DEBS := gcc libc6-dev make bash dash busybox-static python3 git perl gawk xz-utils musl-tools \
	redis-server tini dumb-init
deps:
	@missing=; for p in gcc make bash dash busybox python3 git perl awk xz redis-server tini dumb-init; do command -v $$p >/dev/null || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(DEBS) >/dev/null; \
	else echo "please install:$$missing"; exit 1; fi

.PHONY: deps-bench
deps-bench:
	@for p in qemu-x86_64:qemu-user runsc:runsc; do command -v $${p%:*} >/dev/null && continue; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && apt-get install -y -qq $${p#*:} >/dev/null || echo "$${p#*:} cannot be installed: its column will be missing"; \
	else echo "$${p#*:} is not installed: its column will be missing"; fi; done

clean:
	rm -rf bin bench.json

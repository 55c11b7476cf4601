# Targets for people: test, bench, build. CI runs .ci/run, which calls test.
GO ?= go

.PHONY: all build test check needs unit cross bench golden

all: build

# The binary, as ./hachaos.
build:
	$(GO) build -o hachaos ./cmd/hachaos

# Everything: formatting, vet, staticcheck, builds for every system, all tests.
test: needs check cross unit

# What the tests need and this machine lacks is installed, where that can be.
needs:
	@./.ci/needs

check:
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@$(GO) mod tidy -diff >/dev/null || { echo "go.mod or go.sum is not tidy: run go mod tidy"; exit 1; }

# The cluster is Unix only; the rest builds and runs on Windows too.
cross:
	GOOS=linux GOARCH=amd64 $(GO) build -o /dev/null ./cmd/hachaos
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./cmd/hachaos
	GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null ./cmd/hachaos
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	GOOS=windows GOARCH=amd64 $(GO) vet ./...

# The commands are tested last and one at a time: they measure, and other tests
# beside them would be in their figures.
unit:
	$(GO) test -race -timeout 20m $$($(GO) list ./... | grep -v /cmd/hachaos)
	$(GO) test -race -timeout 20m -parallel 1 ./cmd/hachaos

# Benchmarks: ratios to peers measured in the same run, medians of several.
bench:
	$(GO) test -run '^$$' -bench . -benchtime 1s -count 5 ./...

# Writes the golden files anew. Read the difference before you commit it.
golden:
	$(GO) test ./reports ./scenarios ./loadgen/ab -update

package backend

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// choose decides how the dependency is provided.
func (b *Backend) choose() error {
	b.mode = b.config.Mode
	if b.mode == "external" {
		b.engine = external{}
		return nil
	}
	if b.mode != "embedded" && (b.config.Kind == "redis" || b.config.Kind == "postgres") {
		err := b.chooseLocal()
		var missing *missingError
		if !errors.As(err, &missing) {
			b.mode = "local"
			return err
		}
		if b.mode == "local" {
			return err
		}
		if b.config.Topology == "sentinel" || b.config.Topology == "cluster" {
			return fmt.Errorf("topology %s needs real servers: %w", b.config.Topology, err)
		}
	}
	b.mode = "embedded"
	b.engine = &embedded{}
	return nil
}

// chooseLocal looks for the programs of a real server.
func (b *Backend) chooseLocal() error {
	if b.config.Kind == "postgres" {
		return b.choosePostgres()
	}
	return b.chooseRedis()
}

func (b *Backend) chooseRedis() error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return &missingError{"redis-server is", "the package redis-server"}
	}
	b.setServer("redis-server " + versionOf(path))
	r := redisServers{program: path}
	switch b.config.Topology {
	case "sentinel":
		// It is the same program under another name, which Debian packs apart.
		b.engine = &sentinels{redisServers: r}
	case "cluster":
		b.engine = &redisCluster{redisServers: r}
	default:
		b.engine = &redisSingle{redisServers: r}
	}
	return nil
}

// missingError says that this machine lacks programs.
type missingError struct{ programs, install string }

func (e *missingError) Error() string {
	return fmt.Sprintf("%s not found (install %s, or take mode: embedded)", e.programs, e.install)
}

var versionNumber = regexp.MustCompile(`[0-9]+(\.[0-9]+)*`)

// versionOf asks a program which version it is; "" if it does not say.
func versionOf(program string) string {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return ""
	}
	return versionNumber.FindString(strings.TrimSpace(string(out)))
}

// Installed returns nil if this machine has the programs of a local server for
// c, else an error that says which are missing.
func (c Config) Installed() error { return New("", c, Options{}).chooseLocal() }

package backend

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// postgresFolders are where packages put PostgreSQL's programs, which most keep
// out of PATH because several versions may stand side by side.
var postgresFolders = []string{
	"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
}

func (b *Backend) choosePostgres() error {
	missing := &missingError{"PostgreSQL's initdb, postgres and pg_basebackup are", "the package postgresql"}
	if runtime.GOOS == "windows" {
		return missing // it would want another account there, and other signals
	}
	bin := findPostgres()
	if bin == "" {
		return missing
	}
	b.setServer("PostgreSQL " + versionOf(filepath.Join(bin, "postgres")))
	b.engine = &postgres{bin: bin}
	return nil
}

// findPostgres returns the folder of PostgreSQL's programs, the newest if there
// are several; "" if there is none.
func findPostgres() string {
	if path, err := exec.LookPath("postgres"); err == nil && hasPostgres(filepath.Dir(path)) {
		return filepath.Dir(path)
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		if dir := strings.TrimSpace(string(out)); hasPostgres(dir) {
			return dir
		}
	}
	for _, pattern := range postgresFolders {
		dirs, _ := filepath.Glob(pattern) // the patterns are good
		slices.SortFunc(dirs, byVersion)
		for _, dir := range dirs {
			if hasPostgres(dir) {
				return dir
			}
		}
	}
	return ""
}

// byVersion puts the newer first: 15 before 9.6.
func byVersion(a, b string) int {
	va, _ := strconv.ParseFloat(versionNumber.FindString(a), 64)
	vb, _ := strconv.ParseFloat(versionNumber.FindString(b), 64)
	return cmp.Compare(vb, va)
}

func hasPostgres(dir string) bool {
	for _, program := range []string{"initdb", "postgres", "pg_basebackup"} {
		if info, err := os.Stat(filepath.Join(dir, program)); err != nil || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

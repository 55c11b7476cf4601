package backend

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// admission is whom a server lets in (pg_hba.conf): the application, which owns
// nothing but its tables, as it is, and the superuser by its password. A
// superuser runs programs, and every user of the machine can connect.
const admission = `host all app 127.0.0.1/32 trust
host all postgres 127.0.0.1/32 scram-sha-256
host replication postgres 127.0.0.1/32 scram-sha-256
`

// key is what a superuser's password stands in. No command line shows it.
type key struct {
	password string
	word     string // file with the password alone, as initdb wants it
	passfile string // file as libpq wants it (the passfile of a connection)
}

// cutKey draws a password and writes it where only those get at it who run the
// servers.
func (p *postgres) cutKey() error {
	password := rand.Text()
	p.key = key{password, filepath.Join(p.b.folder, "password"), filepath.Join(p.b.folder, "passfile")}
	for file, text := range map[string]string{p.key.word: password, p.key.passfile: "*:*:*:postgres:" + password} {
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			return err
		}
		if p.user == "" {
			continue
		}
		uid, gid, err := idsOf(p.user)
		if err = errors.Join(err, os.Chown(file, uid, gid)); err != nil {
			return err
		}
	}
	return nil
}

// quotedValue writes a value so that libpq reads it as one.
func quotedValue(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

package backend

import (
	"net"

	"github.com/hachaos/hachaos/targets/backend/pgsqlite"
	"github.com/hachaos/hachaos/targets/port"
)

// postgresService is PostgreSQL's protocol over SQLite.
type postgresService struct{ server *pgsqlite.Server }

func servePostgres(s Setup) (service, error) {
	primary, err := port.Listen(s.Listen)
	if err != nil {
		return nil, err
	}
	var replica net.Listener
	if s.ReplicaListen != "" {
		if replica, err = port.Listen(s.ReplicaListen); err != nil {
			primary.Close()
			return nil, err
		}
	}
	server, err := pgsqlite.Open(s.Folder, primary, replica)
	if err != nil {
		return nil, err
	}
	return postgresService{server}, nil
}

func (p postgresService) name() string {
	return "PostgreSQL's protocol over SQLite" + moduleVersion("modernc.org/sqlite")
}

func (p postgresService) order(what string, on bool) error {
	switch what {
	case "fill":
		p.server.Fill(on)
		return nil
	case "lag":
		return p.server.Lag(on)
	}
	return unknownOrder(what)
}

func (p postgresService) close() error { return p.server.Close() }

package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hachaos/hachaos/chaos/netproxy"
)

// Spot says which connections a network fault strikes: those to a dependency,
// all of them or those to some of its nodes, or those to the target itself.
type Spot struct {
	Dependency string `yaml:"dependency" json:"dependency,omitempty" jsonschema:"description=The connections to this dependency"`
	Front      bool   `yaml:"front" json:"front,omitempty" jsonschema:"description=The connections to the target itself (the scenario needs front: true)"`
	Process    string `yaml:"process" json:"process,omitempty" jsonschema:"description=Only to the servers that have this role when it strikes,enum=main,enum=primary,enum=replica,enum=sentinel"`
	Node       string `yaml:"node" json:"node,omitempty" jsonschema:"description=Only to this server such as node-2"`
}

// String names the spot in words: "db (replica)", "the front".
func (s Spot) String() string {
	switch {
	case s.Front:
		return "the front"
	case s.Node != "":
		return s.Dependency + " (" + s.Node + ")"
	case s.Process != "":
		return s.Dependency + " (" + s.Process + ")"
	}
	return s.Dependency
}

func (s Spot) check(kind string, report func(path, message string)) {
	switch {
	case s.Dependency == "" && !s.Front:
		report(kind, kind+" needs dependency: NAME or front: true: which connections it strikes")
	case s.Dependency != "" && s.Front:
		report(kind+".front", "a fault strikes one place: dependency or front")
	case s.Front && s.Process != "":
		report(kind+".process", "there is one proxy before the target: process does not go with front")
	case s.Front && s.Node != "":
		report(kind+".node", "there is one proxy before the target: node does not go with front")
	case s.Process != "" && s.Node != "":
		report(kind+".node", "process and node exclude each other")
	}
	checkRole(kind, s.Process, report)
}

// poison adds toxics to every proxy of the spot, and removes them all.
func (s Spot) poison(t Target, shot Shot, what string, toxics ...netproxy.Toxic) (*injection, error) {
	if t.Network == nil {
		return nil, errors.New("the run has no chaos proxies")
	}
	names, note, err := t.Network.Proxies(s)
	if err != nil {
		return nil, err
	}
	revert := &Revert{API: t.Network.API()}
	client := netproxy.NewClient(revert.API)
	type dose struct {
		proxy string
		toxic netproxy.Toxic
	}
	var doses []dose
	for _, proxy := range names {
		for i, toxic := range toxics {
			toxic.Name = shot.ID()
			if len(toxics) > 1 {
				toxic.Name = fmt.Sprintf("%s.%d", shot.ID(), i+1)
			}
			doses = append(doses, dose{proxy, toxic})
			revert.Toxics = append(revert.Toxics, ToxicRef{proxy, toxic.Name})
		}
	}
	detail := strings.TrimSpace(what + " " + s.String())
	if note != "" {
		detail += "; " + note
	}
	return &injection{
		detail: detail,
		revert: revert,
		inject: func(ctx context.Context) error {
			for _, d := range doses {
				if _, err := client.AddToxic(ctx, d.proxy, d.toxic); err != nil {
					return fmt.Errorf("add a toxic to proxy %s: %w", d.proxy, err)
				}
			}
			return nil
		},
	}, nil
}

package backend

import (
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// Config describes a dependency.
type Config struct {
	Kind          string         `yaml:"kind" json:"kind" jsonschema:"required,description=What it is,enum=redis,enum=postgres,enum=mongodb,enum=http,enum=tcp"`
	Mode          string         `yaml:"mode" json:"mode,omitempty" jsonschema:"description=A real server of this machine (local); one inside hachaos (embedded); somebody else's (external); or local if its programs are found and else embedded (auto),enum=auto,enum=embedded,enum=local,enum=external,default=auto"`
	URL           string         `yaml:"url" json:"url,omitempty" jsonschema:"description=Where an external one is"`
	Port          int            `yaml:"port" json:"port,omitempty" jsonschema:"description=Port of 127.0.0.1 that clients reach it on; a free one if left out,minimum=1,maximum=65535"`
	Topology      string         `yaml:"topology" json:"topology,omitempty" jsonschema:"description=How Redis servers stand together,enum=single,enum=sentinel,enum=cluster,default=single"`
	Replicas      int            `yaml:"replicas" json:"replicas,omitempty" jsonschema:"description=Replicas of PostgreSQL (default 0) or of a Redis with sentinels (2) or of each primary of a Redis cluster (1),minimum=0,maximum=5"`
	Sentinels     int            `yaml:"sentinels" json:"sentinels,omitempty" jsonschema:"description=Number of sentinels; more than half must agree that the primary is down,minimum=1,maximum=7,default=3"`
	Replication   string         `yaml:"replication" json:"replication,omitempty" jsonschema:"description=Whether PostgreSQL answers a commit before (async) or after (sync) any one replica has it,enum=sync,enum=async,default=async"`
	FailoverAfter units.Duration `yaml:"failover_after" json:"failover_after,omitempty" jsonschema:"description=How long a primary must be gone before a replica is promoted,default=1s"`
}

// SetDefaults fills in what c leaves open.
func (c *Config) SetDefaults() {
	switch {
	case c.Mode != "":
	case c.URL != "" || c.Kind == "mongodb":
		c.Mode = "external"
	default:
		c.Mode = "auto"
	}
	if c.Mode == "external" {
		return
	}
	if c.Kind == "redis" {
		c.setRedisDefaults()
	}
	if c.Kind == "postgres" && c.Replicas > 0 && c.Replication == "" {
		c.Replication = "async"
	}
	if c.Replicas > 0 && c.Mode != "embedded" && c.FailoverAfter == 0 {
		c.FailoverAfter = units.Duration(time.Second)
	}
}

func (c *Config) setRedisDefaults() {
	if c.Topology == "" {
		c.Topology = "single"
	}
	if c.Replicas == 0 {
		c.Replicas = usualReplicas[c.Topology]
	}
	if c.Topology == "sentinel" && c.Sentinels == 0 {
		c.Sentinels = 3
	}
}

// usualReplicas is how many a Redis has, by its topology, if nobody says.
var usualReplicas = map[string]int{"sentinel": 2, "cluster": 1}

package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/app/apptest"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

func openMongo(t *testing.T, url string, o Options) *Mongo {
	t.Helper()
	m, err := OpenMongo(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func TestMongo(t *testing.T) {
	address := apptest.Mongo(t)
	relay := apptest.NewRelay(t, address)
	m := openMongo(t, "mongodb://"+relay.Address+"/shop", Options{Timeout: 2 * time.Second})
	ctx := within(t)
	if err := m.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if found, err := m.Last(ctx, 3); err != nil || found == nil || len(found) != 0 {
		t.Errorf("at first there are %v, %v", found, err)
	}
	for i := range 5 {
		item := Item{fmt.Sprintf("id-%d", i), fmt.Sprint("body ", i)}
		for range 2 { // a write that is tried again is done once
			if err := m.Add(ctx, item); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := m.Get(ctx, item.ID); got != item || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
	if found, err := m.Last(ctx, 2); err != nil || len(found) != 2 || found[0].ID != "id-4" || found[1].ID != "id-3" {
		t.Errorf("the last are %v, %v", found, err)
	}
	if _, err := m.Get(ctx, "none"); !errors.Is(err, ErrNone) {
		t.Errorf("nothing is %v", err)
	}
	relay.Cut()
	if err := m.Add(ctx, Item{ID: "x"}); err == nil {
		t.Error("a cut server takes documents")
	}
	relay.Mend()
	apptest.Await(t, "the server to be found again", func() bool { return m.Add(ctx, Item{ID: "x"}) == nil })
}

func TestMongoOptions(t *testing.T) {
	for _, c := range []struct {
		url, database string
		reads         readpref.Mode
	}{
		{"mongodb://a:1,b:2/?replicaSet=rs&readPreference=secondaryPreferred&w=1&retryWrites=true", "hachaos", readpref.SecondaryPreferredMode},
		{"mongodb://a:1/shop?readPreference=secondary", "shop", readpref.SecondaryMode},
	} {
		o, database, err := mongoOptions(c.url, Options{Conns: 7, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if database != c.database || o.ReadPreference.Mode() != c.reads || o.WriteConcern.W != writeconcern.Majority().W ||
			*o.RetryWrites || *o.RetryReads || *o.MaxPoolSize != 7 || *o.ServerSelectionTimeout != time.Second {
			t.Errorf("%s: database %s, %+v", c.url, database, o)
		}
	}
}

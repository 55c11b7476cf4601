package app

import (
	"testing"

	"github.com/hachaos/hachaos/targets/app/apptest"
	"github.com/hachaos/hachaos/targets/app/store"
)

func TestDocs(t *testing.T) {
	relay := apptest.NewRelay(t, apptest.Mongo(t))
	a := newTested(t, Config{DependencyTimeout: millis(2000), Breaker: soon(), Fallback: "default"}, env{"MONGODB_URL": "mongodb://" + relay.Address})
	a.awaitStatus("POST /docs first", 201)
	second := decode[store.Item](t, a.want("POST /docs second", 201, ""))
	if found := decode[[]store.Item](t, a.want("GET /docs", 200, "")); len(found) < 2 || found[0] != second {
		t.Errorf("%+v", found)
	}
	if got := decode[store.Item](t, a.want("GET /docs/"+second.ID, 200, "")); got != second {
		t.Errorf("%+v", got)
	}
	a.want("GET /docs/none", 404, "")
	relay.Cut()
	a.want("GET /docs", 200, "default")
	apptest.Await(t, "the breaker to open", func() bool { return a.ask("POST /docs third").Code == 503 })
	a.awaitEvents("mongodb: worker 1: breaker opens after 3 failures in a row: ")
	relay.Mend()
	a.awaitStatus("POST /docs third", 201)
}

// A worker that is told to take nothing more takes nothing on any route.
func TestRejectedEverywhere(t *testing.T) {
	a := newTested(t, Config{}, nil)
	a.want("GET /login", 200, "")
	a.Reject()
	for _, request := range []string{"GET /", "GET /login", "GET /compute?for=0s"} {
		if w := a.want(request, 503, ""); w.Header().Get("Connection") != "close" {
			t.Errorf("%s: %v", request, w.Header())
		}
	}
	a.want("GET /health/detailed", 200, "")
}

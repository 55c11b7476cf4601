package loadgen

import (
	"fmt"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// vegetaVar makes the test binary vegeta: the URL that its attacker is to ask
// with a fixed number of workers, as fast as they can.
const vegetaVar = "HACHAOS_TEST_VEGETA"

// runVegeta lets vegeta's attacker ask url for 2 s with as many workers as the
// others have clients, each of which asks again as soon as it has its answer.
func runVegeta(url string) error {
	attacker := vegeta.NewAttacker(vegeta.Workers(64), vegeta.MaxWorkers(64), vegeta.Connections(64))
	targeter := vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: url})
	var metrics vegeta.Metrics
	for r := range attacker.Attack(targeter, vegeta.ConstantPacer{}, 2*time.Second, "peer") {
		metrics.Add(r)
	}
	metrics.Close()
	if metrics.Success < 1 {
		return fmt.Errorf("vegeta: %.2f %% good, %v", 100*metrics.Success, metrics.Errors)
	}
	_, err := fmt.Println(metrics.Requests, "good")
	return err
}

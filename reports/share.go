package reports

import (
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/loadgen"
)

// firstShare stands for the metrics share-1, share-2 and so on in the list of
// all metrics.
const firstShare = "share-1"

// ShareSlot returns the slot of the worker whose share of the answers a metric
// is: 2 for share-2; false for other metrics.
func ShareSlot(metric string) (slot int, ok bool) {
	digits, ok := strings.CutPrefix(metric, strings.TrimSuffix(firstShare, "1"))
	slot, err := strconv.Atoi(digits)
	return slot, ok && err == nil && slot >= 1 && strconv.Itoa(slot) == digits
}

// share is that of the worker in a slot of all good answers whose worker is
// known; nil if there are none.
func share(slot int, recs []*loadgen.Recording, resources []Resource) *float64 {
	var part, all int64
	for _, rec := range recs {
		bySlot, total := answersBySlot(rec.Workers, resources)
		part += bySlot["worker "+strconv.Itoa(slot)]
		all += total
	}
	return ratio(part, all)
}

// answersBySlot adds up the answers of all processes that a worker had, by its
// name: "worker 2". What comes from processes of no worker is in neither.
func answersBySlot(answers map[string]int64, resources []Resource) (bySlot map[string]int64, total int64) {
	names := map[string]string{}
	for _, p := range resources {
		names[strconv.Itoa(p.PID)] = p.Process
	}
	bySlot = map[string]int64{}
	for pid, n := range answers {
		if name, ok := names[pid]; ok {
			bySlot[name] += n
			total += n
		}
	}
	return bySlot, total
}

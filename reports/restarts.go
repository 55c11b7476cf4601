package reports

// restarts is how often the workers among these processes were replaced, over all
// their places; nil if none is a worker.
func restarts(resources []Resource) *float64 {
	most := map[string]int{} // by place: "worker 2"
	for _, p := range resources {
		if p.Restarts != nil {
			most[p.Process] = max(most[p.Process], *p.Restarts)
		}
	}
	if len(most) == 0 {
		return nil
	}
	sum := 0
	for _, n := range most {
		sum += n
	}
	return known(float64(sum))
}

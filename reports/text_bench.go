package reports

import "io"

// TextFigures writes what [Text] writes of one run between its faults and its
// objectives, without the header and the latencies: availability, uptime,
// outages, warnings, and why the figures may not be trusted. It is for commands
// that have printed the rest in a form of their own.
func TextFigures(w io.Writer, r *Report, o TextOptions) error {
	t := &text{color: o.Color, width: o.Width}
	if t.width > 0 {
		t.width = max(t.width, 60)
	}
	t.availability(r)
	if r.Verdict == Pass {
		for _, example := range firstFailures(r) {
			t.block("", " ", example)
		}
	}
	if len(r.Probes) > 0 {
		t.uptime(r)
	}
	if a := &r.Availability; a.AvailabilityCI95 == nil && a.CI95Reason != "" {
		t.block("", " ", "no interval: "+clean(a.CI95Reason))
	}
	t.outages(r)
	t.warnings(r)
	if r.Verdict != Pass {
		t.WriteString("\n")
		t.verdict(r)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

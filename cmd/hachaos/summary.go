package main

import (
	"fmt"
	"os"

	"github.com/hachaos/hachaos/reports"
)

// summarize adds the report to the job's summary, as GitHub Actions defines it:
// Markdown at the end of the file that GITHUB_STEP_SUMMARY names. Without the
// variable it does nothing.
func summarize(doc reports.Document) error {
	path := os.Getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("add to the job's summary (GITHUB_STEP_SUMMARY): %w", err)
	}
	if err := reports.Markdown(f, doc); err != nil {
		f.Close()
		return fmt.Errorf("add to the job's summary (GITHUB_STEP_SUMMARY): %w", err)
	}
	return f.Close()
}

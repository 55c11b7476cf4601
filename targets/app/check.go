package app

// SetDefaults fills in what c leaves open.
func (c *Config) SetDefaults() {
	if c.Crash != nil && c.Crash.Code == nil {
		one := 1
		c.Crash.Code = &one
	}
}

// Check reports what is wrong with c; path is that of a key in it, such as
// "crash.after".
func (c *Config) Check(report func(path, message string)) {
	if c.Work < 0 {
		report("work", "work is negative")
	}
	if c.Wait < 0 {
		report("wait", "wait is negative")
	}
	if c.Start < 0 {
		report("start", "start is negative")
	}
	if c.Crash == nil {
		return
	}
	if c.Crash.After <= 0 {
		report("crash.after", "after must be longer than 0s")
	}
	if code := c.Crash.Code; code != nil && (*code < 0 || *code > 255) {
		report("crash.code", "an exit code is a number from 0 to 255")
	}
}

package proc_test

import "os"

var sigStop = os.Kill

func ignoreTerm() {}

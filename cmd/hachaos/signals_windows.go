package main

import "os"

var brokenPipe = []os.Signal{} // there is no such signal

var interrupts = []os.Signal{os.Interrupt}

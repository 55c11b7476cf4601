package proc

func group(int) int { return 0 }

package a

import "time"

var testsMayUseTheClock = time.Now()

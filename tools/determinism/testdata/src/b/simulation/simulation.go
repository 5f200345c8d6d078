package simulation

import "time"

var now = time.Now()

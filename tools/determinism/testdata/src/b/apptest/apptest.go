package apptest

import "time"

var now = time.Now()

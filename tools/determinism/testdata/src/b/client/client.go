package client

import "time"

var now = time.Now()

package excuse

import "time"

func excused(m map[string]int) (n int) {
	for _, v := range m { //determinism:ok a sum does not depend on the order
		n += v
	}
	//determinism:ok a sum does not depend on the order
	for _, v := range m {
		n += v
	}
	for _, v := range m { // want `range over a map`
		n += v
	}
	_ = time.Now() /* want `needs a reason` */    //determinism:ok
	n++            /* want `nothing to excuse` */ //determinism:ok there is nothing here
	return n
}

package reconcile

// lives answers challenges in time. That the world could be read, the runtime included, is the sign of life.
func (w world) lives() []Action {
	var plan []Action
	for id, l := range w.lease {
		if l.AnswerBy != 0 && w.Now < l.AnswerBy && !w.living[id] {
			plan = append(plan, Action{Live, id, "it was challenged"})
		}
	}
	return plan
}

// fetches asks those who keep them for what its owner did not bring: the manifest that is wanted, then pushed images.
func (w world) fetches() []Action {
	var plan []Action
	for id, l := range w.lease {
		if l.State == Pending || w.fetching[id] {
			continue
		}
		m, here := w.manifest[id]
		switch {
		case !here || m.Revision != l.Revision:
			plan = append(plan, Action{Fetch, id, "its manifest is not here"})
		case len(m.Missing) > 0:
			plan = append(plan, Action{Fetch, id, "images of it are not here"})
		}
	}
	return plan
}

// preparations pull what standbys would run.
func (w world) preparations() []Action {
	var plan []Action
	for id, l := range w.lease {
		m, here := w.manifest[id]
		if l.State == Standby && here && m.Revision == l.Revision && len(m.Missing) == 0 && !m.Broken && w.prepared[id] != m.Run {
			plan = append(plan, Action{Prepare, id, "it is to be ready to start"})
		}
	}
	return plan
}

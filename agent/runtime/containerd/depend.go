package containerd

import (
	"fmt"
	"slices"

	"github.com/souk-network/souk/agent/runtime"
)

// standing is how a replica was last seen, for the others of its lease.
type standing struct {
	goal    goal
	history history
	facts   facts
	checked bool // it has a health check
	health  runtime.Health
}

// settled tells whether a replica has the definition that it should have.
func (s standing) settled() bool {
	return s.facts.revision == s.goal.target(s.history) && s.history.Revision == s.facts.revision
}

// same tells whether others of the lease would see no difference.
func (s standing) same(o standing) bool {
	return s.goal.target(s.history) == o.goal.target(o.history) && s.goal.workload == o.goal.workload && s.goal.paused == o.goal.paused &&
		s.facts.revision == o.facts.revision && s.facts.task == o.facts.task && s.facts.pid == o.facts.pid &&
		s.history.Revision == o.history.Revision && s.history.Exits == o.history.Exits && s.history.Over == o.history.Over &&
		s.history.Good == o.history.Good && s.history.Held == o.history.Held && s.checked == o.checked && s.health == o.health
}

// noteStanding keeps how a replica was seen, and reports whether that is news.
func (l *lease) noteStanding(v view) bool {
	s := standing{goal: v.goal, history: v.history, facts: v.facts, checked: v.check != nil, health: l.healthOf(v.wanted)}
	old := l.standings[v.wanted.id()]
	l.standings[v.wanted.id()] = &s
	return old == nil || !old.same(s)
}

// replicasOf lists how the replicas of a service were last seen, nil for those that were not since this was wanted.
func (l *lease) replicasOf(rec record, service string) []*standing {
	var list []*standing
	for _, u := range rec.units() {
		if u.service.Name != service {
			continue
		}
		s := l.standings[u.id()]
		if s != nil && (s.goal.revision != u.revision || s.goal.workload != u.workload || s.goal.paused != rec.Paused) {
			s = nil
		}
		list = append(list, s)
	}
	return list
}

// mayMove tells whether it is a replica's turn to go over to the wanted definition.
func (l *lease) mayMove(rec record, u unit) bool {
	return turn(l.replicasOf(rec, u.service.Name), int(u.replica)) && l.awaited(rec, u) == nil
}

// awaited says what a replica waits for before it may start; nil when all is there.
func (l *lease) awaited(rec record, u unit) error {
	for _, d := range u.service.DependsOn {
		if ok, err := ready(d, l.replicasOf(rec, d.Service)); !ok {
			return err
		}
	}
	return nil
}

// mayStop tells whether nothing that depends on a replica runs.
func (l *lease) mayStop(rec record, u unit) bool {
	for _, s := range rec.Workload.Services {
		if !dependsOn(s, u.service.Name) {
			continue
		}
		for _, other := range l.replicasOf(rec, s.Name) {
			if other == nil || other.facts.task == taskRunning {
				return false
			}
		}
	}
	return true
}

// turn tells whether replica i of a service may go over to the wanted definition: one after the other, each when those
// before it have proven it, and none any more when one has failed. Replicas that never worked need not wait: there is
// nothing to lose. A nil entry was not looked at yet.
func turn(replicas []*standing, i int) bool {
	for k, s := range replicas {
		if k == i {
			continue
		}
		if s == nil || s.history.heldBack(s.goal) {
			return false
		}
		if s.history.Good == "" || s.history.Good == s.goal.revision && s.facts.revision == s.goal.revision {
			continue
		}
		if k < i || s.facts.revision == s.goal.revision {
			return false
		}
	}
	return true
}

// orGoodOf lets a replica in which nothing has proven itself share the fate of the others of its service: when what is
// wanted was given up by one of them, it takes the definition that goes on there. A nil entry was not looked at yet.
func (h history) orGoodOf(g goal, replicas []*standing) history {
	if h.Good != "" || g.job {
		return h
	}
	for _, s := range replicas {
		if s == nil || !s.history.heldBack(s.goal) || s.history.Good == g.revision {
			continue
		}
		h.Good, h.GoodWorkload = s.history.Good, s.history.GoodWorkload
		return h.givenUp(g, s.history.Held.Error, s.history.Held.Class)
	}
	return h
}

// ready tells whether all replicas of a service are as those that depend on it need, and if not, why.
func ready(d runtime.Dependency, replicas []*standing) (bool, error) {
	for _, s := range replicas {
		if s == nil || !s.settled() {
			return false, waiting(d)
		}
		running := s.facts.task == taskRunning
		switch d.Condition {
		case runtime.DependencyHealthy:
			if running && !s.checked {
				return false, runtime.Invalidf("waiting for %s to be healthy, but neither its image nor its definition has a health check", d.Service)
			}
			if !running || s.health != runtime.HealthHealthy {
				return false, waiting(d)
			}
		case runtime.DependencyCompleted:
			if s.history.Over && s.history.ExitCode != 0 {
				return false, runtime.Classify(runtime.ClassTenant, fmt.Errorf("waiting for %s to complete, but it %s", d.Service, exitText(s.history)))
			}
			if !s.history.Over || running {
				return false, waiting(d)
			}
		default:
			if !running && s.history.Exits == 0 {
				return false, waiting(d)
			}
		}
	}
	return true, nil
}

// waitError says what a replica waits for. Nothing is wrong.
type waitError string

func (w waitError) Error() string { return string(w) }

func waiting(d runtime.Dependency) error {
	for condition, words := range map[runtime.DependencyCondition]string{
		runtime.DependencyHealthy: "be healthy", runtime.DependencyCompleted: "complete",
	} {
		if d.Condition == condition {
			return waitError(fmt.Sprintf("waiting for %s to %s", d.Service, words))
		}
	}
	return waitError(fmt.Sprintf("waiting for %s to start", d.Service))
}

// stopLevels orders services for stopping: each level may stop once those before it have.
func stopLevels(services []runtime.Service) [][]string {
	left := slices.Clone(services)
	var levels [][]string
	for len(left) > 0 {
		var level []string
		for _, s := range left {
			if !slices.ContainsFunc(left, func(o runtime.Service) bool { return dependsOn(o, s.Name) }) {
				level = append(level, s.Name)
			}
		}
		if len(level) == 0 { // a circle, which validate refuses: all at once
			for _, s := range left {
				level = append(level, s.Name)
			}
		}
		left = slices.DeleteFunc(left, func(s runtime.Service) bool { return slices.Contains(level, s.Name) })
		levels = append(levels, level)
	}
	return levels
}

func dependsOn(s runtime.Service, name string) bool {
	return slices.ContainsFunc(s.DependsOn, func(d runtime.Dependency) bool { return d.Service == name })
}

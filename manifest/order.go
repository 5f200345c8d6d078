package manifest

import (
	"slices"
	"strings"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// validateOrder checks what services wait for: services of the group, without circles, and for what can come true.
func validateOrder(group *manifestpb.Group) error {
	byName := map[string]*manifestpb.Service{}
	for _, service := range group.GetServices() {
		byName[service.GetName()] = service
	}
	for _, service := range group.GetServices() {
		needs := service.GetDependsOn()
		if len(needs) > MaxDependencies {
			return invalid("service %q: %d dependencies, at most %d", service.GetName(), len(needs), MaxDependencies)
		}
		for _, need := range needs {
			other := byName[need.GetService()]
			if other == nil {
				return invalid("service %q depends on %q, which is not in the group", service.GetName(), need.GetService())
			}
			switch c := need.GetCondition(); c {
			case manifestpb.DependencyCondition_DEPENDENCY_CONDITION_STARTED:
			case manifestpb.DependencyCondition_DEPENDENCY_CONDITION_HEALTHY:
				if other.GetHealthCheck().GetDisabled() {
					return invalid("service %q waits for the health of %q, which has no check", service.GetName(), other.GetName())
				}
			case manifestpb.DependencyCondition_DEPENDENCY_CONDITION_COMPLETED:
				if !Ends(other) {
					return invalid("service %q waits for the end of %q, which is started again whenever it ends", service.GetName(), other.GetName())
				}
			default:
				return invalid("service %q depends on %q: condition %d", service.GetName(), need.GetService(), c)
			}
		}
		if err := ascending("dependency", needs, (*manifestpb.Dependency).GetService); err != nil {
			return err
		}
	}
	if circle := Circle(group); circle != nil {
		return invalid("services wait for each other: %s", strings.Join(circle, " -> "))
	}
	return nil
}

// Ends tells whether a service may stay ended: its policy does not start it again when it ended well.
func Ends(s *manifestpb.Service) bool {
	return s.GetRestartPolicy() == manifestpb.RestartPolicy_RESTART_POLICY_NO ||
		s.GetRestartPolicy() == manifestpb.RestartPolicy_RESTART_POLICY_ON_FAILURE
}

// Circle names services of a group that wait for each other, the first again at the end; nil when there are none.
func Circle(group *manifestpb.Group) []string {
	needs := map[string][]string{}
	for _, service := range group.GetServices() {
		for _, need := range service.GetDependsOn() {
			needs[service.GetName()] = append(needs[service.GetName()], need.GetService())
		}
	}
	done := map[string]bool{}
	var visit func(name string, path []string) []string
	visit = func(name string, path []string) []string {
		if at := slices.Index(path, name); at >= 0 {
			return append(slices.Clone(path[at:]), name)
		}
		if done[name] {
			return nil
		}
		for _, next := range needs[name] {
			if circle := visit(next, append(path, name)); circle != nil {
				return circle
			}
		}
		done[name] = true
		return nil
	}
	for _, service := range group.GetServices() {
		if circle := visit(service.GetName(), nil); circle != nil {
			return circle
		}
	}
	return nil
}

// validateEnd checks how a service ends and whether it is to.
func validateEnd(s *manifestpb.Service) error {
	if s.GetJob() && !Ends(s) {
		return invalid("a job is not started again when it ended well: its restart policy is no or on-failure")
	}
	if s.GetMaxRestarts() > MaxRestarts {
		return invalid("%d restarts, at most %d", s.GetMaxRestarts(), MaxRestarts)
	}
	if s.GetMaxRestarts() > 0 && s.GetRestartPolicy() == manifestpb.RestartPolicy_RESTART_POLICY_NO {
		return invalid("a bound on restarts of a service that is not started again")
	}
	if signal := s.GetStopSignal(); signal != "" && !ValidSignal(signal) {
		return invalid("%q is not a stop signal", signal)
	}
	return nil
}
